//! Several processes on one file.

use std::process::{Command, Stdio};

use twinloom_meta::{Meta, RunFilter};

use crate::{
    backends,
    sample::{at, run, tasks},
};

const URL: &str = "TWINLOOM_TEST_META_WRITER";
const PROCESSES: u32 = 4;
const EACH: u32 = 8;

/// What each process does: opens the database as the others do, then writes and reads in turns.
#[tokio::test]
async fn writer() {
    let Ok(url) = std::env::var(URL) else {
        // Not one of the processes that `many_processes_share_a_file` starts: a database of its own will do.
        let backend = backends::file().await;
        write(&backend.meta, 1).await;
        assert_eq!(
            backend
                .meta
                .runs(&RunFilter {
                    limit: 99,
                    ..RunFilter::default()
                })
                .await
                .unwrap()
                .len(),
            EACH as usize
        );
        return;
    };
    let meta = Meta::connect(&url).await.unwrap();
    write(&meta, std::process::id()).await;
    meta.close().await;
}

async fn write(meta: &Meta, writer: u32) {
    for n in 0..EACH {
        let id = format!("{writer}-{n}");
        meta.apply(vec![run(&id, 0).into(), tasks(&id, 20).into()], &[])
            .await
            .unwrap();
        assert_eq!(meta.tasks(&id).await.unwrap().len(), 20);
        assert_eq!(meta.claim_run(&id, "me", 1, at(9)).await.unwrap(), Some(2));
    }
}

#[tokio::test]
async fn many_processes_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    // Not there yet: they race for its creation too.
    let url = format!("sqlite://{}", folder.path().join("meta.db").display());
    let children: Vec<_> = (0..PROCESSES)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "processes::writer", "--nocapture"])
                .env(URL, &url)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
    }
    let meta = Meta::connect(&url).await.unwrap();
    let runs = meta
        .runs(&RunFilter {
            limit: 10_000,
            ..RunFilter::default()
        })
        .await
        .unwrap();
    assert_eq!(runs.len(), (PROCESSES * EACH) as usize);
    assert!(runs.iter().all(|run| run.epoch == 2));
}
