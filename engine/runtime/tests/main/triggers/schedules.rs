//! Times: schedules, backfills, deadlines.

use std::time::Duration;

use jiff::Timestamp;
use twinloom_meta::event;

use super::{clocked, count};
use crate::support::{Home, events, publish, runs_of, write_dag};

#[tokio::test(flavor = "multi_thread")]
async fn schedules_fire_at_their_times() {
    let home = Home::new();
    write_dag(
        home.dir.path(),
        "daily",
        "on: {schedule: {cron: \"0 6 * * *\", timezone: Europe/Berlin}}",
    );
    write_dag(
        home.dir.path(),
        "often",
        "on: {schedule: {every: 1h, catchup: all}}",
    );
    let (service, clock) = clocked(&home, "2026-03-28T04:30:00Z").await;
    let next: Vec<String> = service
        .next_fires("daily", 2)
        .unwrap()
        .into_iter()
        .map(|fire| fire.at.to_string())
        .collect();
    // The clocks go forward in between.
    assert_eq!(next, ["2026-03-28T05:00:00Z", "2026-03-29T04:00:00Z"]);
    clock.advance(Duration::from_secs(29 * 60));
    service.settle().await.unwrap();
    assert_eq!(count(service.engine(), "daily").await, 0);
    clock.advance(Duration::from_secs(60));
    service.settle().await.unwrap();
    let runs = runs_of(service.engine(), "daily").await;
    assert_eq!(runs[0].trigger["scheduled_for"], "2026-03-28T05:00:00Z");
    assert_eq!(runs.len(), 1);
    service.shutdown().await;
    // Three days later: one schedule lets what was missed go, the other catches up on all of it.
    let (service, _) = clocked(&home, "2026-03-31T05:30:00Z").await;
    service.settle().await.unwrap();
    assert_eq!(count(service.engine(), "daily").await, 1);
    assert_eq!(count(service.engine(), "often").await, 73);
    let ticks = events(&service.engine().config().meta, event::SCHEDULE_TICK).await;
    assert_eq!(ticks.len(), 74);
    service.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_starts_what_is_missing_of_a_range() {
    for home in Home::each().await {
        write_dag(home.dir.path(), "daily", "on: {schedule: {cron: \"0 6 * * *\"}}");
        let (service, _) = clocked(&home, "2026-02-01T00:00:00Z").await;
        let (from, to): (Timestamp, Timestamp) = (
            "2026-01-01T06:00:00Z".parse().unwrap(),
            "2026-01-05T06:00:00Z".parse().unwrap(),
        );
        let preview = service.backfill_preview("daily", from, to).await.unwrap();
        assert_eq!(preview.len(), 5);
        let middle = "2026-01-03T00:00:00Z".parse().unwrap();
        assert_eq!(
            service
                .backfill("daily", from, middle, "ada")
                .await
                .unwrap()
                .len(),
            2
        );
        count(service.engine(), "daily").await;
        assert_eq!(service.backfill("daily", from, to, "ada").await.unwrap().len(), 3);
        let runs = runs_of(service.engine(), "daily").await;
        let times: Vec<_> = runs
            .iter()
            .map(|run| run.trigger["scheduled_for"].as_str().unwrap())
            .collect();
        assert_eq!(times.first(), Some(&"2026-01-01T06:00:00Z"));
        assert_eq!((times.len(), times.last()), (5, Some(&"2026-01-05T06:00:00Z")));
        let backwards = service.backfill_preview("daily", to, from).await.unwrap_err();
        assert_eq!(backwards.code(), "backfill.range");
        service.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_deadline_is_told_once() {
    for home in Home::each().await {
        write_dag(home.dir.path(), "user", "freshness: {a: 24h}");
        let (service, clock) = clocked(&home, "2026-01-01T00:00:00Z").await;
        publish(service.engine(), "a", 0..1).await;
        let missed = async || {
            service.settle().await.unwrap();
            events(&service.engine().config().meta, event::FRESHNESS_MISSED)
                .await
                .len()
        };
        clock.advance(Duration::from_secs(24 * 3600 - 1));
        assert_eq!(missed().await, 0);
        let fresh = service.freshness().await.unwrap();
        assert_eq!((fresh.len(), fresh[0].late), (1, false));
        clock.advance(Duration::from_secs(2));
        assert_eq!(missed().await, 1);
        assert!(service.freshness().await.unwrap()[0].late);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(missed().await, 1, "once a miss");
        publish(service.engine(), "a", 0..2).await;
        assert_eq!(missed().await, 1);
        assert!(!service.freshness().await.unwrap()[0].late);
        clock.advance(Duration::from_secs(25 * 3600));
        assert_eq!(missed().await, 2);
        service.shutdown().await;
    }
}
