//! Ownership and fencing.

use std::sync::Arc;

use twinloom_meta::{Meta, RunState, RunUpdate, TaskState, TaskUpdate};

use crate::{
    backends,
    sample::{at, run, tasks},
};

const RUN: &str = "01JABCDEFGHJKMNPQRSTVWXYZ0";

#[tokio::test]
async fn one_of_many_claims_a_run() {
    for backend in backends::all().await {
        backend.meta.apply(vec![run(RUN, 0).into()], &[]).await.unwrap();
        let meta = Arc::new(backend.meta.clone());
        let claims: Vec<_> = (0..12)
            .map(|n| {
                let meta = Arc::clone(&meta);
                tokio::spawn(async move {
                    meta.claim_run(RUN, &format!("owner-{n}"), 1, at(99))
                        .await
                        .unwrap()
                })
            })
            .collect();
        let mut won = Vec::new();
        for claim in claims {
            won.extend(claim.await.unwrap());
        }
        assert_eq!(won, [2], "{}", backend.name);
        let head = meta.run_head(RUN).await.unwrap();
        assert_eq!((head.epoch, head.lease_until), (2, Some(at(99))));
        assert!(head.owner.unwrap().starts_with("owner-"));
        assert_eq!(meta.claim_run("no such run", "x", 1, at(0)).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_zombie_writes_nothing() {
    for backend in backends::all().await {
        let meta = &backend.meta;
        meta.apply(
            vec![run(RUN, 0).into(), run("other", 0).into(), tasks(RUN, 1).into()],
            &[],
        )
        .await
        .unwrap();
        let running = || vec![TaskUpdate::state(RUN, "fan[0]", TaskState::Running).into()];
        meta.apply(running(), &[(RUN.into(), 1), ("other".into(), 1)])
            .await
            .unwrap();

        assert_eq!(meta.claim_run(RUN, "new", 1, at(9)).await.unwrap(), Some(2));
        let done = vec![TaskUpdate::state(RUN, "fan[0]", TaskState::Succeeded).into()];
        let error = meta
            .apply(done, &[("other".into(), 1), (RUN.into(), 1)])
            .await
            .unwrap_err();
        assert_eq!(error.code(), "meta.fenced", "{}", backend.name);
        assert!(error.to_string().contains(RUN), "{error}");
        assert_eq!(
            meta.task(RUN, "fan[0]").await.unwrap().state,
            TaskState::Running,
            "{}",
            backend.name
        );
        meta.apply(running(), &[(RUN.into(), 2)]).await.unwrap();
        let gone = meta
            .apply(Vec::new(), &[("no such run".into(), 1)])
            .await
            .unwrap_err();
        assert_eq!(gone.code(), "meta.fenced");
    }
}

#[tokio::test]
async fn leases_are_of_unfinished_runs() {
    for backend in backends::all().await {
        let meta = &backend.meta;
        let changes = vec![run("r1", 0).into(), run("r2", 0).into(), run("r3", 0).into()];
        meta.apply(changes, &[]).await.unwrap();
        meta.apply(vec![RunUpdate::state("r2", RunState::Succeeded).into()], &[])
            .await
            .unwrap();
        meta.claim_run("r3", "somebody", 1, at(50)).await.unwrap();
        assert_eq!(
            meta.renew_leases("host:1", at(500)).await.unwrap(),
            1,
            "{}",
            backend.name
        );
        let until = async |meta: &Meta, id: &str| meta.run_head(id).await.unwrap().lease_until;
        assert_eq!(until(meta, "r1").await, Some(at(500)));
        assert_eq!(until(meta, "r2").await, Some(at(60)));
        assert_eq!(until(meta, "r3").await, Some(at(50)));
        assert_eq!(meta.release("host:1").await.unwrap(), 1);
        assert_eq!(until(meta, "r1").await, None, "{}", backend.name);
    }
}

/// Applies with a fence and claims of the same runs, from several handles: none deadlocks, none is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fences_and_claims_of_many_do_not_lock_each_other_out() {
    for backend in backends::all().await {
        if backend.name == "sqlite memory" {
            continue;
        }
        let ids = ["r1", "r2", "r3", "r4"];
        backend
            .meta
            .apply(ids.iter().map(|id| run(id, 0).into()).collect(), &[])
            .await
            .unwrap();
        let workers: Vec<_> = (0..4usize)
            .map(|worker| {
                let url = backend.url.clone();
                tokio::spawn(async move {
                    let meta = Meta::connect(&url).await.unwrap();
                    let mut written = 0;
                    for n in 0..6 {
                        let order: Vec<&str> = (0..4).map(|i| ids[(i + worker + n) % 4]).collect();
                        let changes = order
                            .iter()
                            .map(|id| RunUpdate::state(id, RunState::Running).into())
                            .collect();
                        let fence: Vec<(String, i64)> =
                            order.iter().map(|id| ((*id).to_owned(), 1)).collect();
                        written += usize::from(meta.apply(changes, &fence).await.is_ok());
                        meta.claim_run(order[0], "x", 77, at(1)).await.unwrap();
                    }
                    written
                })
            })
            .collect();
        let mut written = 0;
        for worker in workers {
            written += worker.await.unwrap();
        }
        assert_eq!(written, 24, "{}", backend.name);
    }
}
