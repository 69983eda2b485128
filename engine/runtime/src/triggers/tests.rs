#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::{
    condition::{CatchUp, Condition, Dataset, Datasets, Schedule, Seconds},
    machine::Machine,
    schedule::{self, due, times},
    seen::{Seen, Version, What},
    state::{Decided, State},
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn cron(cron: &str, timezone: &str) -> Schedule {
    Schedule {
        cron: Some(cron.to_owned()),
        every: None,
        timezone: timezone.to_owned(),
        catchup: CatchUp::None,
        start: None,
        end: None,
        jitter: None,
    }
}

fn every(seconds: u64) -> Schedule {
    Schedule {
        cron: None,
        every: Some(Seconds(Duration::from_secs(seconds))),
        ..cron("", "UTC")
    }
}

fn shown(times: &[Timestamp]) -> Vec<String> {
    times.iter().map(ToString::to_string).collect()
}

#[test]
fn a_time_that_the_clock_leaves_out_runs_after_the_gap() {
    // Berlin, 29 March 2026: 02:00 becomes 03:00 (01:00 UTC).
    let found = times(
        &cron("30 2 * * *", "Europe/Berlin"),
        at("2026-03-28T00:00:00Z"),
        None,
        3,
    );
    let expected = [
        "2026-03-28T01:30:00Z",
        "2026-03-29T01:00:00Z",
        "2026-03-30T00:30:00Z",
    ];
    assert_eq!(shown(&found), expected);
}

#[test]
fn a_time_that_comes_twice_runs_once_and_a_repeating_one_runs_on() {
    // Berlin, 25 October 2026: 03:00 becomes 02:00 (01:00 UTC).
    let daily = times(
        &cron("30 2 * * *", "Europe/Berlin"),
        at("2026-10-24T12:00:00Z"),
        None,
        2,
    );
    assert_eq!(shown(&daily), ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    let half_hours = cron("*/30 * * * *", "Europe/Berlin");
    let found = times(
        &half_hours,
        at("2026-10-24T23:45:00Z"),
        Some(at("2026-10-25T02:00:00Z")),
        100,
    );
    let expected = [
        "2026-10-25T00:00:00Z",
        "2026-10-25T00:30:00Z",
        "2026-10-25T01:00:00Z",
        "2026-10-25T01:30:00Z",
        "2026-10-25T02:00:00Z",
    ];
    assert_eq!(shown(&found), expected);
}

#[test]
fn every_local_day_of_a_year_has_its_run() {
    let daily = cron("0 6 * * *", "Europe/Berlin");
    let found = times(
        &daily,
        at("2026-01-01T00:00:00Z"),
        Some(at("2026-12-31T23:00:00Z")),
        1000,
    );
    assert_eq!(found.len(), 365);
    let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
    assert!(found.iter().all(|at| at.to_zoned(zone.clone()).hour() == 6));
}

#[test]
fn intervals_count_from_their_start_within_their_bounds() {
    let mut spec = every(90);
    (spec.start, spec.end) = (Some(at("2026-01-01T00:00:10Z")), Some(at("2026-01-01T00:05:00Z")));
    let found = times(&spec, at("2025-01-01T00:00:00Z"), None, 100);
    let expected = [
        "2026-01-01T00:00:10Z",
        "2026-01-01T00:01:40Z",
        "2026-01-01T00:03:10Z",
        "2026-01-01T00:04:40Z",
    ];
    assert_eq!(shown(&found), expected);
}

#[test]
fn missed_times_are_dropped_run_once_or_all() {
    let (after, now) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T05:00:20Z"));
    let due_of = |catchup| {
        let spec = Schedule {
            catchup,
            ..cron("0 * * * *", "UTC")
        };
        due(&spec, "dag", after, now)
    };
    // 05:00 was 20 seconds ago: that is not missed.
    let none = due_of(CatchUp::None);
    assert_eq!(shown(&none.times), ["2026-01-01T05:00:00Z"]);
    assert_eq!(none.dropped, Some(at("2026-01-01T04:00:00Z")));
    assert_eq!(
        shown(&due_of(CatchUp::Latest).times),
        ["2026-01-01T04:00:00Z", "2026-01-01T05:00:00Z"]
    );
    let all = due_of(CatchUp::All);
    assert_eq!((all.times.len(), all.dropped), (5, None));
    let later = due(&cron("0 * * * *", "UTC"), "dag", now, at("2026-01-01T05:59:59Z"));
    assert_eq!((later.times.len(), later.dropped), (0, None));
}

#[test]
fn the_last_of_the_dropped_times_is_told() {
    let now = at("2026-03-31T05:30:00Z");
    let dropped = |spec: &Schedule, after: &str| due(spec, "dag", at(after), now).dropped;
    let daily = cron("0 6 * * *", "Europe/Berlin");
    assert_eq!(
        dropped(&daily, "2026-03-28T05:00:00Z"),
        Some(at("2026-03-31T04:00:00Z"))
    );
    assert_eq!(dropped(&daily, "2026-03-31T04:00:00Z"), None);
    let yearly = cron("0 0 1 1 *", "UTC");
    assert_eq!(
        dropped(&yearly, "1990-01-01T00:00:00Z"),
        Some(at("2026-01-01T00:00:00Z"))
    );
    let mut often = every(1);
    assert_eq!(
        dropped(&often, "1990-01-01T00:00:00Z"),
        Some(at("2026-03-31T05:29:00Z"))
    );
    often.end = Some(at("2026-01-01T00:00:00Z"));
    assert_eq!(dropped(&often, "1990-01-01T00:00:00Z"), often.end);
    // With jitter a time is missed only once its delay may be over.
    let mut late = cron("0 * * * *", "UTC");
    late.jitter = Some(Seconds(Duration::from_secs(3600)));
    let told = dropped(&late, "2026-03-30T00:00:00Z").unwrap();
    assert!(
        told >= at("2026-03-31T04:00:00Z") && told <= at("2026-03-31T05:00:00Z"),
        "{told}"
    );
}

#[test]
fn catching_up_is_bounded_however_long_it_was() {
    let spec = Schedule {
        catchup: CatchUp::All,
        ..every(60)
    };
    let now = at("2026-01-01T00:00:00Z");
    let due = due(&spec, "dag", at("1990-01-01T00:00:00Z"), now);
    assert_eq!(due.times.len(), schedule::MOST_CAUGHT_UP);
    assert_eq!(due.times.last(), Some(&now));
    assert!(
        due.times
            .windows(2)
            .all(|pair| pair[1].duration_since(pair[0]) == SignedDuration::from_secs(60))
    );
    assert!(due.dropped.is_some());
}

#[test]
fn jitter_puts_off_and_stays_the_same() {
    let mut spec = cron("0 * * * *", "UTC");
    spec.jitter = Some(Seconds(Duration::from_secs(600)));
    let time = at("2026-01-01T05:00:00Z");
    let delayed = schedule::delayed(&spec, "dag", time);
    assert_eq!(delayed, schedule::delayed(&spec, "dag", time));
    assert!(delayed >= time && delayed < at("2026-01-01T05:10:00Z"));
    assert_ne!(delayed, schedule::delayed(&spec, "other", time));
    let before = delayed.checked_sub(SignedDuration::from_millis(1)).unwrap();
    let after = at("2026-01-01T04:30:00Z");
    assert!(due(&spec, "dag", after, before).times.is_empty());
    assert_eq!(due(&spec, "dag", after, delayed).times, [time]);
}

fn dataset(name: &str) -> Dataset {
    Dataset {
        name: name.to_owned(),
        min_changed_rows: None,
        tag: None,
        metrics: Default::default(),
        checks: Vec::new(),
    }
}

fn group(at_least: usize, of: Vec<Dataset>) -> Datasets {
    Datasets {
        at_least,
        of,
        within: None,
        debounce: None,
    }
}

fn machine(condition: Condition) -> Machine {
    Machine {
        dag: "dag".to_owned(),
        condition,
        state: State::default(),
    }
}

/// Events at seconds, each a version of a dataset with so many changed rows; the events that fired.
fn fired(group: Datasets, events: &[(i64, &str, u64)], until: i64) -> Vec<i64> {
    let mut machine = machine(Condition::Datasets(group));
    let mut decided = Vec::new();
    for (index, (second, name, changed)) in events.iter().enumerate() {
        let seen = published(index as i64 + 1, *second, name, *changed);
        machine.catch_up(seen.at, &mut decided);
        machine.observe(&seen, &mut decided);
    }
    machine.tick(Timestamp::from_second(until).unwrap(), &mut decided);
    fires(&decided)
}

fn published(id: i64, second: i64, name: &str, changed: u64) -> Seen {
    let version = Version {
        name: name.to_owned(),
        version: u64::try_from(id).unwrap(),
        changed,
        ..Version::default()
    };
    Seen {
        id,
        at: Timestamp::from_second(second).unwrap(),
        what: What::Dataset(version, None),
        run: None,
    }
}

fn fires(decided: &[Decided]) -> Vec<i64> {
    let event = |decision: &Decided| match decision {
        Decided::Fire(cause, _) => cause.event,
        Decided::Pass { .. } => None,
    };
    decided.iter().filter_map(event).collect()
}

#[test]
fn any_all_and_some_of_several_datasets() {
    let events = [
        (1, "a", 1),
        (2, "a", 1),
        (3, "b", 1),
        (4, "c", 1),
        (5, "b", 1),
        (6, "a", 1),
    ];
    let three = || vec![dataset("a"), dataset("b"), dataset("c")];
    assert_eq!(fired(group(1, three()), &events, 9), [1, 2, 3, 4, 5, 6]);
    assert_eq!(fired(group(3, three()), &events, 9), [4]);
    assert_eq!(fired(group(2, three()), &events, 9), [3, 5]);
    assert_eq!(fired(group(1, vec![dataset("b")]), &events, 9), [3, 5]);
}

#[test]
fn versions_too_far_apart_do_not_count_together() {
    let mut both = group(2, vec![dataset("a"), dataset("b")]);
    both.within = Some(Seconds(Duration::from_secs(10)));
    assert_eq!(
        fired(both.clone(), &[(0, "a", 1), (11, "b", 1)], 99),
        [] as [i64; 0]
    );
    assert_eq!(fired(both.clone(), &[(0, "a", 1), (10, "b", 1)], 99), [2]);
    assert_eq!(fired(both, &[(0, "a", 1), (11, "b", 1), (15, "a", 1)], 99), [3]);
}

#[test]
fn rows_that_changed_add_up_since_the_last_run() {
    let enough = Dataset {
        min_changed_rows: Some(10),
        ..dataset("a")
    };
    let events = [(1, "a", 4), (2, "a", 5), (3, "a", 1), (4, "a", 9), (5, "a", 25)];
    assert_eq!(fired(group(1, vec![enough]), &events, 9), [3, 5]);
}

#[test]
fn quiet_is_waited_for_whenever_it_is_looked_at() {
    let mut any = group(1, vec![dataset("a")]);
    any.debounce = Some(Seconds(Duration::from_secs(5)));
    // A burst, quiet, one more; seen late, it is as if it had been seen in time.
    let events = [(0, "a", 1), (3, "a", 1), (6, "a", 1), (20, "a", 1)];
    assert_eq!(fired(any.clone(), &events, 24), [3]);
    assert_eq!(fired(any, &events, 25), [3, 4]);
}

#[test]
fn a_version_must_hold_its_bounds_and_checks() {
    let spec = json!({
        "kind": "datasets", "at_least": 1,
        "of": [{ "name": "a", "metrics": { "loss": { "max": 0.5 } }, "checks": ["clean"] }],
    });
    let mut machine = machine(serde_json::from_value(spec).unwrap());
    let mut decided = Vec::new();
    let cases = [
        (None, true),
        (Some(0.6), true),
        (Some(0.5), false),
        (Some(0.5), true),
    ];
    for (id, (loss, clean)) in (1..).zip(cases) {
        let mut seen = published(id, id, "a", 1);
        if let What::Dataset(version, _) = &mut seen.what {
            version.metrics.extend(loss.map(|loss| ("loss".to_owned(), loss)));
            version.checks.insert("clean".to_owned(), clean);
        }
        machine.observe(&seen, &mut decided);
    }
    assert_eq!(fires(&decided), [4]);
    let reasons: Vec<&str> = decided
        .iter()
        .filter_map(|decision| match decision {
            Decided::Pass { reason, .. } => Some(reason.as_str()),
            Decided::Fire(..) => None,
        })
        .collect();
    assert_eq!(
        reasons,
        [
            "`a@1` came, but it has no metric `loss`.",
            "`a@2` came, but its `loss` is 0.6, wanted up to 0.5.",
            "`a@3` came, but its check `clean` failed.",
        ]
    );
}

#[test]
fn a_tag_is_waited_for() {
    let tagged = Dataset {
        tag: Some("good".to_owned()),
        ..dataset("a")
    };
    let mut machine = machine(Condition::Datasets(group(1, vec![tagged])));
    let mut decided = Vec::new();
    machine.observe(&published(1, 1, "a", 1), &mut decided);
    for (id, tag) in [(2, "bad"), (3, "good")] {
        let mut seen = published(id, id, "a", 0);
        if let What::Dataset(_, given) = &mut seen.what {
            *given = Some(tag.to_owned());
        }
        machine.observe(&seen, &mut decided);
    }
    assert_eq!(fires(&decided), [3]);
}

#[test]
fn what_comes_during_a_pause_fires_once_after_it() {
    let mut machine = machine(Condition::Datasets(group(1, vec![dataset("a")])));
    let mut decided = Vec::new();
    let paused = |id, paused| Seen {
        what: What::Paused("dag".to_owned(), paused),
        ..published(id, id, "", 0)
    };
    machine.observe(&paused(1, true), &mut decided);
    machine.observe(&published(2, 2, "a", 1), &mut decided);
    machine.observe(&published(3, 3, "a", 1), &mut decided);
    assert!(fires(&decided).is_empty());
    assert!(machine.would_take().contains("paused"));
    machine.observe(&paused(4, false), &mut decided);
    assert_eq!(fires(&decided), [3]);
    machine.observe(&published(5, 5, "a", 1), &mut decided);
    assert_eq!(fires(&decided), [3, 5]);
}

#[test]
fn a_state_that_was_stored_goes_on_as_if_nothing_had_happened() {
    let both = group(2, vec![dataset("a"), dataset("b")]);
    let events = [(1, "a", 1), (2, "b", 1), (3, "b", 1), (4, "b", 1), (5, "a", 1)];
    for cut in 0..events.len() {
        let mut machine = machine(Condition::Datasets(both.clone()));
        let mut decided = Vec::new();
        for (index, (second, name, changed)) in events.iter().enumerate() {
            if index == cut {
                let stored = serde_json::to_string(&machine.state).unwrap();
                machine.state = serde_json::from_str(&stored).unwrap();
            }
            machine.observe(
                &published(index as i64 + 1, *second, name, *changed),
                &mut decided,
            );
        }
        assert_eq!(fires(&decided), [2, 5], "cut at {cut}");
    }
}

#[test]
fn messages_are_taken_in_batches() {
    let spec = json!({ "kind": "queue", "name": "jobs", "batch": 2 });
    let mut machine = machine(serde_json::from_value(spec).unwrap());
    let mut decided = Vec::new();
    for id in 1..=5 {
        let seen = Seen {
            what: What::Message("jobs".to_owned()),
            ..published(id, id, "", 0)
        };
        machine.observe(&seen, &mut decided);
    }
    assert!(decided.is_empty());
    machine.tick(Timestamp::from_second(9).unwrap(), &mut decided);
    let batches: Vec<Vec<i64>> = decided
        .iter()
        .map(|decision| match decision {
            Decided::Fire(cause, _) => cause.payloads.clone(),
            Decided::Pass { .. } => panic!("{decision:?}"),
        })
        .collect();
    assert_eq!(batches, [vec![1, 2], vec![3, 4], vec![5]]);
}

#[test]
fn a_condition_keeps_its_name_until_it_changes() {
    let one = Condition::Schedule(cron("0 6 * * *", "UTC"));
    assert_eq!(one.id(), Condition::Schedule(cron("0 6 * * *", "UTC")).id());
    assert_ne!(one.id(), Condition::Schedule(cron("0 7 * * *", "UTC")).id());
    let stored: Condition = serde_json::from_str(&serde_json::to_string(&one).unwrap()).unwrap();
    assert_eq!(stored, one);
}

#[test]
fn it_says_what_it_would_take() {
    let mut machine = machine(Condition::Datasets(group(2, vec![dataset("a"), dataset("b")])));
    assert_eq!(machine.would_take(), "It takes a new version of `a` and of `b`.");
    machine.observe(&published(1, 1, "a", 1), &mut Vec::new());
    assert_eq!(machine.would_take(), "It takes a new version of `b`.");
    assert_eq!(machine.condition.describe(), "new versions of all of `a`, `b`");
}
