//! What the executor adds to the bare spawn of a program.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use super::support::{DONE, run, shell};
use crate::executor::{AttemptEnd, Limits};

#[tokio::test(flavor = "multi_thread")]
async fn the_executor_adds_little_to_a_spawn() {
    let script = format!("read line; echo '{DONE}'");
    // Not small: a fork copies the page tables of all that the scheduler has touched.
    let ballast = vec![1_u8; 256 << 20];
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..15 {
        let start = Instant::now();
        let mut child = Command::new("/bin/sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(child.stdin.take().unwrap(), "{{}}").unwrap();
        assert!(child.wait_with_output().unwrap().status.success());
        bare.push(start.elapsed());

        let executor = shell(&script);
        let start = Instant::now();
        let (end, _) = run(&executor, Limits::default()).await;
        ours.push(start.elapsed());
        assert!(matches!(end, AttemptEnd::Finished(Ok(_))), "{end:?}");
    }
    assert_eq!(
        ballast
            .iter()
            .step_by(4096)
            .map(|byte| u64::from(*byte))
            .sum::<u64>(),
        (256 << 20) / 4096
    );
    bare.sort();
    ours.sort();
    eprintln!(
        "bare {:?} to {:?}, as an attempt {:?} to {:?}",
        bare[0], bare[7], ours[0], ours[7]
    );
    // The best of each: the machine may be busy with other tests.
    assert!(
        ours[0].saturating_sub(bare[0]) < Duration::from_millis(10),
        "{:?} and {:?}",
        bare[0],
        ours[0]
    );
}
