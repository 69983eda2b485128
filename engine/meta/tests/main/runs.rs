//! Runs: in, out, lists, prefixes.

use serde_json::json;
use twinloom_meta::{Change, Field, MetaError, RunFilter, RunState, RunUpdate};

use crate::{
    backends,
    sample::{at, run},
};

#[tokio::test]
async fn a_run_comes_back_as_it_went_in() {
    for backend in backends::all().await {
        let row = run("01JABCDEFGHJKMNPQRSTVWXYZ0", 0);
        backend.meta.apply(vec![row.clone().into()], &[]).await.unwrap();
        let found = backend.meta.run(&row.id).await.unwrap();
        assert_eq!(found, row, "{}", backend.name);
        assert_eq!(
            found.plan.to_string(),
            row.plan.to_string(),
            "{}: the order of keys is kept",
            backend.name
        );
        assert_eq!(backend.meta.run_head(&row.id).await.unwrap(), row.head());
    }
}

#[tokio::test]
async fn an_update_touches_what_it_names() {
    for backend in backends::all().await {
        let row = run("01JABCDEFGHJKMNPQRSTVWXYZ0", 0);
        let error = json!({"code": "x"});
        let first = RunUpdate {
            error: Field::Set(error.clone()),
            ..RunUpdate::state(&row.id, RunState::Failed)
        };
        let second = RunUpdate {
            ended_at: at(9).into(),
            ..RunUpdate {
                id: row.id.clone(),
                ..RunUpdate::default()
            }
        };
        backend
            .meta
            .apply(vec![row.clone().into(), first.into(), second.into()], &[])
            .await
            .unwrap();
        let found = backend.meta.run(&row.id).await.unwrap();
        assert_eq!(
            (found.state, found.ended_at, &found.error),
            (RunState::Failed, Some(at(9)), &Some(error))
        );
        assert_eq!(found.params, row.params, "{}", backend.name);

        let again = RunUpdate {
            ended_at: Field::Clear,
            error: Field::Clear,
            ..RunUpdate::state(&row.id, RunState::Running)
        };
        backend.meta.apply(vec![again.into()], &[]).await.unwrap();
        assert_eq!(backend.meta.run(&row.id).await.unwrap(), row, "{}", backend.name);
    }
}

#[tokio::test]
async fn a_prefix_will_do_if_it_fits_one() {
    for backend in backends::all().await {
        let rows = [
            run("01JAAAAAAAAAAAAAAAAAAAAAA1", 0),
            run("01JAAAAAAAAAAAAAAAAAAAAAB2", 1),
            run("lower-1", 2),
        ];
        backend
            .meta
            .apply(rows.map(Change::from).to_vec(), &[])
            .await
            .unwrap();
        assert_eq!(
            backend.meta.run("01JAAAAAAAAAAAAAAAAAAAAAB").await.unwrap().id,
            "01JAAAAAAAAAAAAAAAAAAAAAB2"
        );
        assert_eq!(
            backend.meta.run("01jaaaaaaaaaaaaaaaaaaaaab2").await.unwrap().id,
            "01JAAAAAAAAAAAAAAAAAAAAAB2"
        );
        assert_eq!(backend.meta.run("lower").await.unwrap().id, "lower-1");
        let error = backend.meta.run("01JA").await.unwrap_err();
        assert!(
            matches!(&error, MetaError::Ambiguous { matches, .. } if matches.contains("A1")),
            "{error}"
        );
        for missing in ["01JB", "", "%", "____", "01JAAAAAAAAAAAAAAAAAAAAAB2' OR '1'='1"] {
            let error = backend.meta.run(missing).await.unwrap_err();
            assert_eq!(
                error.code(),
                "meta.not_found",
                "{} {missing}: {error}",
                backend.name
            );
        }
    }
}

#[tokio::test]
async fn lists_are_newest_first_and_have_pages() {
    for backend in backends::all().await {
        let mut changes = Vec::new();
        for n in 0..25 {
            // Two of each time: the cursor must not lose the second.
            let mut row = run(&format!("run-{n:04}"), n / 2);
            row.dag = if n % 5 == 0 { "other" } else { "twin" }.to_owned();
            row.state = if n % 2 == 0 {
                RunState::Succeeded
            } else {
                RunState::Failed
            };
            changes.push(row.into());
        }
        backend.meta.apply(changes, &[]).await.unwrap();
        let mut filter = RunFilter {
            limit: 4,
            ..RunFilter::default()
        };
        let mut seen = Vec::new();
        loop {
            let page = backend.meta.runs(&filter).await.unwrap();
            let Some(last) = page.last() else { break };
            filter.before = Some(last.id.clone());
            seen.extend(page.into_iter().map(|run| run.id));
        }
        let expected: Vec<String> = (0..25).rev().map(|n| format!("run-{n:04}")).collect();
        assert_eq!(seen, expected, "{}", backend.name);

        let filter = RunFilter {
            dag: Some("other".into()),
            states: vec![RunState::Succeeded],
            ..RunFilter::default()
        };
        let some: Vec<String> = backend
            .meta
            .runs(&filter)
            .await
            .unwrap()
            .into_iter()
            .map(|run| run.id)
            .collect();
        assert_eq!(some, ["run-0020", "run-0010", "run-0000"], "{}", backend.name);
    }
}

#[tokio::test]
async fn a_run_is_inserted_once() {
    for backend in backends::all().await {
        let row = run("01JABCDEFGHJKMNPQRSTVWXYZ0", 0);
        backend.meta.apply(vec![row.clone().into()], &[]).await.unwrap();
        let error = backend.meta.apply(vec![row.into()], &[]).await.unwrap_err();
        assert_eq!(error.code(), "meta.exists", "{}: {error}", backend.name);
    }
}
