//! A scheduler and a worker with a few tiny operators, which the tests kill at every moment.
//!
//! `testbed worker` runs one task from stdin. `testbed run HOME RUN` starts the run, or goes on with it, approves what
//! it asks, and exits with 0 once it has succeeded. `testbed serve HOME` starts what triggers of the DAGs there say, until
//! it is killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    missing_docs,
    reason = "tests"
)]
#![allow(dead_code, reason = "the modules are the tests'")]

#[path = "../tests/main/operators.rs"]
mod operators;
#[path = "../tests/main/plans.rs"]
mod plans;
#[path = "../tests/main/support.rs"]
mod support;

use std::{path::PathBuf, process::ExitCode};

use twinloom_meta::RunState;
use twinloom_runtime::{Decision, Engine, Submit, WaitFor};

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    match args.next().as_deref() {
        Some("worker") => twinloom_sdk::worker::serve(&operators::registry()),
        Some("run") => {
            let (home, run) = (PathBuf::from(args.next().unwrap()), args.next().unwrap());
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(schedule(home, run))
        }
        Some("serve") => {
            let home = PathBuf::from(args.next().unwrap());
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(serve(home))
        }
        other => panic!("{other:?} is none of `worker`, `run` and `serve`"),
    }
}

async fn schedule(home: PathBuf, run: String) -> ExitCode {
    let engine = Engine::start(support::config(&home).await).await.unwrap();
    match engine.summary(&run).await {
        Ok(summary) if summary.state.ended() => {}
        Ok(_) => engine.resume(&run).await.unwrap(),
        Err(_) => {
            let submit = support::submit(plans::eventful());
            engine
                .submit(Submit {
                    run_id: Some(run.clone()),
                    ..submit
                })
                .await
                .unwrap();
        }
    }
    loop {
        let summary = engine.wait(&run, WaitFor::EndedOrWaiting).await.unwrap();
        if summary.state == RunState::Succeeded {
            engine.shutdown().await;
            return ExitCode::SUCCESS;
        }
        if summary.state.ended() {
            eprintln!("{summary:#?}");
            return ExitCode::FAILURE;
        }
        let decision = Decision {
            approved: true,
            by: "ada".to_owned(),
            role: None,
            comment: None,
        };
        engine.decide(&run, None, decision).await.unwrap();
    }
}

async fn serve(home: PathBuf) -> ExitCode {
    let engine = Engine::start(support::config(&home).await).await.unwrap();
    let dags = support::dags(&engine);
    let config = twinloom_runtime::ServiceConfig {
        poll_every: std::time::Duration::from_millis(20),
        recover_every: Some(std::time::Duration::from_millis(200)),
        ..Default::default()
    };
    let _service = twinloom_runtime::Service::start(engine, dags, config)
        .await
        .unwrap();
    std::future::pending().await
}
