//! What happens when the scheduler dies.

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use twinloom_meta::AttemptRow;

use super::support::{gone, lives, number_in, run_task, shell, task};
use crate::executor::{Limits, Program, Spawned, kill_orphan};

const FOLDER: &str = "TWINLOOM_TEST_SCHEDULER";

/// In the child process of `workers_die_with_their_scheduler`: runs a worker that never ends. Otherwise: one that does.
#[tokio::test]
async fn scheduler() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        let (end, _) = run_task(
            &shell("exit 7"),
            task(),
            Limits::default(),
            CancellationToken::new(),
        )
        .await;
        assert!(format!("{end:?}").contains("status 7"), "{end:?}");
        return;
    };
    // Neither the worker nor its child reads stdin, and both ignore SIGTERM and SIGHUP.
    let forever = "while :; do sleep 0.05; done";
    let folder = folder.display();
    let script = format!(
        "trap '' TERM HUP; (sh -c 'echo $PPID' >{folder}/grandchild; {forever}) & echo $$ >{folder}/worker; {forever}"
    );
    run_task(
        &shell(&script),
        task(),
        Limits::default(),
        CancellationToken::new(),
    )
    .await;
}

#[tokio::test]
async fn workers_die_with_their_scheduler() {
    let folder = tempfile::tempdir().unwrap();
    let mut scheduler = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "executor::tests::orphans::scheduler", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let worker = number_in(&folder.path().join("worker")).await;
    let grandchild = number_in(&folder.path().join("grandchild")).await;
    assert!(lives(worker) && lives(grandchild) && worker != grandchild);
    scheduler.kill().unwrap();
    scheduler.wait().unwrap();
    assert!(gone(worker).await && gone(grandchild).await);
}

fn attempt(spawned: Option<&Spawned>, run: &str) -> AttemptRow {
    AttemptRow {
        run: run.to_owned(),
        task: task().task,
        attempt: 1,
        pid: spawned.map(|spawned| i64::from(spawned.pid)),
        pgid: spawned.map(|spawned| i64::from(spawned.pgid)),
        process: spawned.and_then(|spawned| spawned.process.clone()),
        started_at: Timestamp::UNIX_EPOCH,
        ended_at: None,
        outcome: None,
        error: None,
    }
}

#[tokio::test]
async fn orphans_are_found_by_their_mark() {
    let folder = tempfile::tempdir().unwrap();
    let away = folder.path().join("away");
    // A grandchild in a session of its own: no signal to the group reaches it.
    let script = format!("setsid sh -c 'echo $$ >{}; sleep 60' & sleep 60", away.display());
    let task = task();
    let run = task.run.clone();
    let (sender, _receiver) = mpsc::channel(16);
    let (tell, spawned) = tokio::sync::oneshot::channel();
    let worker = tokio::spawn(async move {
        let on_spawn = Box::new(|spawned| drop(tell.send(spawned)));
        shell(&script)
            .run(
                Program::Worker,
                task.into(),
                Limits::default(),
                sender,
                CancellationToken::new(),
                on_spawn,
            )
            .await
    });
    let spawned: Spawned = spawned.await.unwrap();
    let away = number_in(&away).await;
    let leader = i32::try_from(spawned.pid).unwrap();

    // Another run's, and a later process with the same id, are left alone.
    let later = Spawned {
        process: Some("other:1".to_owned()),
        ..spawned.clone()
    };
    assert_eq!(kill_orphan(&attempt(Some(&later), "another run")).await, 0);
    assert_eq!(kill_orphan(&attempt(None, "another run")).await, 0);
    assert!(lives(leader) && lives(away));

    assert!(kill_orphan(&attempt(Some(&spawned), &run)).await >= 2);
    assert!(!lives(away));
    let end = tokio::time::timeout(Duration::from_secs(10), worker)
        .await
        .unwrap()
        .unwrap();
    assert!(format!("{end:?}").contains("SIGKILL"), "{end:?}");
    assert_eq!(
        kill_orphan(&attempt(Some(&spawned), &run)).await,
        0,
        "nothing is left"
    );
}
