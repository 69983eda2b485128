//! How attempts in processes end.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use twinloom_sdk::{ErrorKind, Level, Message, Outcome};

use super::support::{
    DONE, executor, gone, lives, logs, number_in, programs, python, run, run_task, shell, task,
};
use crate::executor::{AttemptEnd, Limits, ProcessExecutor, Program};

fn crash(end: AttemptEnd) -> String {
    match end {
        AttemptEnd::Crashed { description } => description,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_result_comes_with_its_outputs() {
    let script = r#"
import sys, json
task = json.loads(sys.stdin.readline())
assert task["seed"] == 7, task
def say(**message): print(json.dumps(message), flush=True)
say(type="heartbeat")
say(type="log", level="warn", message="hello from " + task["task"])
say(type="progress", done=1, total=2, unit="documents")
say(type="metric", name="loss", value=1.5, step=3)
say(type="output", port="model", artifact={"kind": "model", "name": "twin", "files": {}, "config": {}, "content_hash": "ab",
    "metrics": {}, "card": "", "producer": {"run": "", "task": "", "attempt": 1, "operator": "", "operator_version": "", "config_hash": ""}, "inputs": []})
say(type="result", metrics={"rows": 3})
# The end of stdin says that the last word has been heard.
assert sys.stdin.read() == ""
"#;
    let (end, messages) = run(&python(script), Limits::default()).await;
    let AttemptEnd::Finished(Ok(Outcome::Done(done))) = end else {
        panic!("{end:?}")
    };
    assert_eq!(done.metrics["rows"], 3);
    assert_eq!(done.outputs.keys().collect::<Vec<_>>(), ["model"]);
    assert_eq!(logs(&messages), ["hello from step[a b=1]"]);
    assert_eq!(
        messages.len(),
        3,
        "log, progress and metric are passed on, nothing else: {messages:?}"
    );
}

#[tokio::test]
async fn errors_and_questions_are_last_words_too() {
    let error = r#"echo '{"type":"error","kind":"data","code":"x.y","message":"bad","hint":"fix"}'; exit 1"#;
    let (end, _) = run(&shell(error), Limits::default()).await;
    let AttemptEnd::Finished(Err(error)) = end else {
        panic!("{end:?}")
    };
    assert_eq!((error.kind, error.code.as_str()), (ErrorKind::Data, "x.y"));

    let wait = r#"echo '{"type":"wait","request":{"question":"?","approvers":[],"on_timeout":"reject","evidence":{}}}'"#;
    let (end, _) = run(&shell(wait), Limits::default()).await;
    assert!(
        matches!(end, AttemptEnd::Finished(Ok(Outcome::Wait(_)))),
        "{end:?}"
    );
}

#[tokio::test]
async fn the_first_last_word_counts() {
    let script = format!(
        "echo '{DONE}'; echo '{{\"type\":\"error\",\"kind\":\"bug\",\"code\":\"a.b\",\"message\":\"\",\"hint\":\"\"}}'; exit 3"
    );
    let (end, _) = run(&shell(&script), Limits::default()).await;
    assert!(matches!(end, AttemptEnd::Finished(Ok(_))), "{end:?}");
}

#[tokio::test]
async fn a_crash_is_described() {
    let (end, messages) = run(&shell("echo one >&2; echo two >&2; exit 3"), Limits::default()).await;
    let text = crash(end);
    assert!(
        text.contains("exited with status 3") && text.contains("one\ntwo"),
        "{text}"
    );
    assert_eq!(logs(&messages), ["one", "two"]);

    let text = crash(run(&shell("kill -SEGV $$"), Limits::default()).await.0);
    assert!(text.contains("SIGSEGV"), "{text}");
    let text = crash(run(&shell("exit 0"), Limits::default()).await.0);
    assert!(text.contains("exited with status 0 without a result"), "{text}");
}

#[tokio::test]
async fn a_missing_program_is_the_users_to_fix() {
    let (end, _) = run(&executor(&["/no/such/program"]), Limits::default()).await;
    let AttemptEnd::Finished(Err(error)) = end else {
        panic!("{end:?}")
    };
    assert_eq!(
        (error.kind, error.code.as_str()),
        (ErrorKind::Config, "executor.program")
    );
    assert!(error.message.contains("/no/such/program"), "{error}");

    let (sender, _receiver) = tokio::sync::mpsc::channel(1);
    let none = ProcessExecutor::new(programs(&[]));
    let end = none
        .run(
            Program::Torch,
            task().into(),
            Limits::default(),
            sender,
            CancellationToken::new(),
            Box::new(|_| panic!("spawned")),
        )
        .await;
    assert!(
        matches!(&end, AttemptEnd::Finished(Err(error)) if error.code == "executor.no_torch"),
        "{end:?}"
    );
}

#[tokio::test]
async fn a_task_longer_than_the_pipe_arrives() {
    let mut long = task();
    long.config = serde_json::json!("x".repeat(3 << 20));
    // It talks a lot before it listens.
    let script = r#"
import sys, json
for n in range(5000): print("noise " * 10)
sys.stdout.flush()
task = json.loads(sys.stdin.readline())
print(json.dumps({"type": "result", "metrics": {"length": len(task["config"])}}), flush=True)
"#;
    let (end, messages) = run_task(&python(script), long, Limits::default(), CancellationToken::new()).await;
    let AttemptEnd::Finished(Ok(Outcome::Done(done))) = end else {
        panic!("{end:?}")
    };
    assert_eq!(done.metrics["length"], 3 << 20);
    assert_eq!(messages.len(), 5_000);
}

#[tokio::test]
async fn a_worker_that_hangs_is_stopped_in_time() {
    let limits = Limits {
        timeout: Some(Duration::from_millis(300)),
        ..Limits::default()
    };
    let start = Instant::now();
    // It ignores SIGTERM.
    let (end, _) = run(&shell("trap '' TERM; while :; do sleep 0.05; done"), limits).await;
    assert!(matches!(end, AttemptEnd::TimedOut), "{end:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_silent_worker_is_taken_for_dead() {
    let quiet = shell("sleep 60").with_patience(Duration::from_millis(300), Duration::from_millis(200));
    let text = crash(run(&quiet, Limits::default()).await.0);
    assert!(text.contains("no sign of life"), "{text}");

    let script =
        format!("for n in 1 2 3 4 5 6; do sleep 0.2; echo '{{\"type\":\"heartbeat\"}}'; done; echo '{DONE}'");
    let lively = shell(&script).with_patience(Duration::from_millis(900), Duration::from_millis(200));
    let (end, _) = run(&lively, Limits::default()).await;
    assert!(matches!(end, AttemptEnd::Finished(Ok(_))), "{end:?}");
}

#[tokio::test]
async fn nobody_listening_is_not_the_workers_silence() {
    let script = format!("for n in 1 2 3 4 5 6 7 8; do echo $n; done; echo '{DONE}'");
    let executor = shell(&script).with_patience(Duration::from_millis(200), Duration::from_secs(5));
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    let attempt = tokio::spawn(async move {
        use crate::executor::Executor;
        executor
            .execute(task().into(), Limits::default(), sender, CancellationToken::new())
            .await
    });
    tokio::time::sleep(Duration::from_millis(900)).await;
    let mut heard = 0;
    while receiver.recv().await.is_some() {
        heard += 1;
    }
    let end = attempt.await.unwrap();
    assert!(matches!(end, AttemptEnd::Finished(Ok(_))), "{end:?}");
    assert_eq!(heard, 8);
}

#[tokio::test]
async fn cancelling_ends_grandchildren_too() {
    let folder = tempfile::tempdir().unwrap();
    let (child, grandchild) = (folder.path().join("child"), folder.path().join("grandchild"));
    // Both ignore SIGTERM.
    let script = format!(
        "trap '' TERM; (trap '' TERM; sh -c 'echo $PPID' >{}; while :; do sleep 0.05; done) & echo $$ >{}; wait; sleep 60",
        grandchild.display(),
        child.display()
    );
    let cancel = CancellationToken::new();
    let attempt = tokio::spawn({
        let cancel = cancel.clone();
        async move { run_task(&shell(&script), task(), Limits::default(), cancel).await }
    });
    let (child, grandchild) = (number_in(&child).await, number_in(&grandchild).await);
    assert!(lives(child) && lives(grandchild) && child != grandchild);
    cancel.cancel();
    let (end, _) = attempt.await.unwrap();
    assert!(matches!(end, AttemptEnd::Cancelled), "{end:?}");
    assert!(gone(child).await && gone(grandchild).await);
}

#[tokio::test]
async fn cancelling_is_polite_first() {
    let folder = tempfile::tempdir().unwrap();
    let (ready, tidied) = (folder.path().join("ready"), folder.path().join("tidied"));
    let script = format!(
        "trap 'echo 1 >{}; exit 0' TERM; echo 1 >{}; while :; do sleep 0.02; done",
        tidied.display(),
        ready.display()
    );
    let executor = shell(&script).with_patience(Duration::from_secs(20), Duration::from_secs(20));
    let cancel = CancellationToken::new();
    let attempt = tokio::spawn({
        let cancel = cancel.clone();
        async move { run_task(&executor, task(), Limits::default(), cancel).await }
    });
    number_in(&ready).await;
    let start = Instant::now();
    cancel.cancel();
    let (end, _) = attempt.await.unwrap();
    assert!(matches!(end, AttemptEnd::Cancelled), "{end:?}");
    assert_eq!(number_in(&tidied).await, 1);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn an_attempt_that_is_dropped_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!("echo $$ >{}; sleep 60", pid.display());
    let attempt = tokio::spawn(async move { run(&shell(&script), Limits::default()).await });
    let pid = number_in(&pid).await;
    attempt.abort();
    assert!(gone(pid).await);
}

#[tokio::test]
async fn what_stays_behind_does_not_hold_the_attempt_up() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder.path().join("left");
    // It leaves a child with both streams open, and one that lingers itself after its last word.
    let script = format!(
        "(sh -c 'echo $PPID' >{left}; sleep 60) & while [ ! -s {left} ]; do sleep 0.01; done; echo '{DONE}'",
        left = left.display()
    );
    let start = Instant::now();
    let (end, _) = run(&shell(&script), Limits::default()).await;
    assert!(matches!(end, AttemptEnd::Finished(Ok(_))), "{end:?}");
    let (end, _) = run(&shell(&format!("echo '{DONE}'; sleep 60")), Limits::default()).await;
    assert!(matches!(end, AttemptEnd::Finished(Ok(_))), "{end:?}");
    assert!(start.elapsed() < Duration::from_secs(50), "{:?}", start.elapsed());
    assert!(gone(number_in(&left).await).await);
}

#[tokio::test]
async fn garbage_is_log_lines() {
    let script = r#"
import sys
out = sys.stdout.buffer
out.write(b"plain\n\xff\xfe bytes\n{\"type\": \"no such thing\"}\n[1, 2\n\n")
out.write(b'{"type":"result","metrics":{}}')
"#;
    let (end, messages) = run(&python(script), Limits::default()).await;
    assert!(
        matches!(end, AttemptEnd::Finished(Ok(_))),
        "the last line has no end: {end:?}"
    );
    assert_eq!(
        logs(&messages),
        [
            "plain",
            "\u{fffd}\u{fffd} bytes",
            "{\"type\": \"no such thing\"}",
            "[1, 2",
            ""
        ]
    );
}

#[tokio::test]
async fn a_flood_is_bounded() {
    let script = format!(
        r#"
import sys
out = sys.stdout.buffer
out.write(b"x" * (9 << 20) + b"\n")
out.write(b"y" * 100_000 + b"\n")
out.write(b"z\n" * 150_000)
out.write(b'{DONE}\n')
"#
    );
    let (end, messages) = run(&python(&script), Limits::default()).await;
    assert!(matches!(end, AttemptEnd::Finished(Ok(_))), "{end:?}");
    let lines = logs(&messages);
    assert!(lines[0].contains("more than 8 MiB"), "{}", &lines[0][..80]);
    assert!(lines[1].len() < 20_000 && lines[1].starts_with("yyy"));
    assert_eq!(lines.len(), 100_001);
    assert!(
        lines[100_000].starts_with("50002 more lines"),
        "{}",
        lines[100_000]
    );
}

#[tokio::test]
async fn memory_is_limited() {
    let script = "import sys; sys.stderr.write('start\\n'); x = bytearray(1 << 30); print('{\"type\":\"result\",\"metrics\":{}}')";
    let limits = Limits {
        memory: Some(512 << 20),
        ..Limits::default()
    };
    let text = crash(run(&python(script), limits).await.0);
    assert!(
        text.contains("MemoryError") && text.contains("limited to 512 MiB"),
        "{text}"
    );
    let (end, _) = run(&python(script), Limits::default()).await;
    assert!(matches!(end, AttemptEnd::Finished(Ok(_))), "{end:?}");
    // A checkpoint that is mapped, and addresses that are only reserved, are no memory.
    let script = "import mmap, tempfile; f = tempfile.TemporaryFile(); f.truncate(2 << 30); \
        m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ); n = mmap.mmap(-1, 8 << 30, flags=mmap.MAP_PRIVATE, prot=0); \
        print('{\"type\":\"result\",\"metrics\":{}}')";
    let (end, _) = run(&python(script), limits).await;
    assert!(matches!(end, AttemptEnd::Finished(Ok(_))), "{end:?}");
}

#[tokio::test]
async fn cpu_time_is_limited() {
    let limits = Limits {
        cpu_time: Some(Duration::from_millis(500)),
        ..Limits::default()
    };
    let text = crash(run(&shell("while :; do :; done"), limits).await.0);
    assert!(
        text.contains("SIGXCPU") && text.contains("CPU time is limited"),
        "{text}"
    );
}

#[tokio::test]
async fn threads_and_mark_are_in_the_environment() {
    let script = format!("echo $OMP_NUM_THREADS $RAYON_NUM_THREADS $TWINLOOM_ATTEMPT; echo '{DONE}'");
    let task = task();
    let expected = format!("3 3 {}/step[a b=1]/1", task.run);
    let limits = Limits {
        threads: Some(3),
        ..Limits::default()
    };
    let (_, messages) = run_task(&shell(&script), task, limits, CancellationToken::new()).await;
    assert_eq!(logs(&messages), [expected]);
}

#[tokio::test]
async fn levels_are_kept() {
    let script =
        format!("echo '{{\"type\":\"log\",\"level\":\"error\",\"message\":\"bad\"}}'; echo '{DONE}'");
    let (_, messages) = run(&shell(&script), Limits::default()).await;
    assert!(
        matches!(&messages[0], Message::Log { level: Level::Error, message } if message == "bad"),
        "{messages:?}"
    );
}

#[tokio::test]
async fn many_at_once_all_end_well() {
    let script = format!("read line; echo hello; echo '{DONE}'");
    let attempts: Vec<_> = (0..40)
        .map(|_| {
            let executor = shell(&script);
            tokio::spawn(async move { run(&executor, Limits::default()).await })
        })
        .collect();
    for attempt in attempts {
        let (end, messages) = attempt.await.unwrap();
        assert!(matches!(end, AttemptEnd::Finished(Ok(_))), "{end:?}");
        assert_eq!(logs(&messages), ["hello"]);
    }
}
