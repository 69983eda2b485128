//! What the shape of `on:`, `concurrency:` and `pools:` does not say.

use crate::{
    diagnostic::{Diagnostic, Report, codes},
    model::{AliasEvent, Bounds, Dag, DatasetCondition, DatasetGroup, MomentAt, Schedule},
    read::{NameMap, OneOrMany, Spanned},
    source::Source,
};

pub(super) fn check(dag: &Dag, source: &Source, report: &mut Report) {
    for (name, entry) in dag.pools.iter().flat_map(NameMap::iter) {
        if entry.value.value == 0 {
            let message = format!("the pool `{name}` has no slots: nothing could ever run in it");
            report.error(source, entry.value.span, codes::OUT_OF_RANGE, message);
        }
    }
    if let Some(max) = dag
        .concurrency
        .as_ref()
        .and_then(|concurrency| concurrency.max_runs.as_ref())
        && max.value == 0
    {
        let message = "`max_runs: 0` would let no run start";
        report.error(source, max.span, codes::OUT_OF_RANGE, message).hint =
            Some("Leave the key out where there is no limit.".into());
    }
    if let Some(priority) = dag
        .concurrency
        .as_ref()
        .and_then(|concurrency| concurrency.priority.as_ref())
        && priority.value > 100
    {
        let message = "`priority` must be from 0 to 100";
        report.error(source, priority.span, codes::OUT_OF_RANGE, message);
    }
    for (name, entry) in dag.freshness.iter().flat_map(NameMap::iter) {
        if entry.value.value.0.as_secs() < 1 {
            let message = format!("the age of `{name}` must be at least one second");
            report.error(source, entry.value.span, codes::OUT_OF_RANGE, message);
        }
    }
    let Some(on) = &dag.on else { return };
    for schedule in on
        .schedule
        .iter()
        .flat_map(|schedules: &OneOrMany<_>| schedules.values.iter())
    {
        check_schedule(schedule, source, report);
    }
    for group in on.datasets.iter().flat_map(|groups| groups.values.iter()) {
        check_datasets(group, source, report);
    }
    for condition in on.models.iter().flat_map(|models| models.values.iter()) {
        let model = &condition.0;
        if model.event == Some(AliasEvent::AliasMoved) && model.alias.is_none() {
            let message = "`event: alias_moved` needs the key `alias`";
            report.error(source, model.name.span, codes::MISSING_KEY, message);
        }
        check_bounds(model.metrics.as_ref(), source, report);
    }
    for trigger in on.runs.iter().flat_map(|runs| runs.values.iter()) {
        if trigger.dag.value == dag.name.value {
            let message = format!("the DAG `{}` would start itself without end", dag.name.value.0);
            report.error(source, trigger.dag.span, codes::CYCLE, message);
        }
    }
    for queue in on.queue.iter().flat_map(|queues| queues.values.iter()) {
        if let Some(batch) = queue.batch.as_ref().filter(|batch| batch.value == 0) {
            report.error(
                source,
                batch.span,
                codes::OUT_OF_RANGE,
                "`batch` must be at least 1",
            );
        }
    }
}

fn check_schedule(schedule: &Spanned<Schedule>, source: &Source, report: &mut Report) {
    let span = crate::read::head(source, schedule.span);
    match (&schedule.cron, &schedule.every) {
        (None, None) => {
            let message = "a schedule needs `cron` or `every`";
            report.error(source, span, codes::MISSING_KEY, message);
        }
        (Some(_), Some(every)) => {
            let message = "a schedule has `cron` or `every`, not both";
            report.error(source, every.span, codes::CONFLICTING_KEYS, message);
        }
        (None, Some(every)) if every.value.0.as_secs() < 1 => {
            report.error(
                source,
                every.span,
                codes::OUT_OF_RANGE,
                "`every` must be at least one second",
            );
        }
        _ => {}
    }
    if let (Some(start), Some(end)) = (&schedule.start, &schedule.end) {
        let late = match (start.value.0, end.value.0) {
            (MomentAt::Instant(start), MomentAt::Instant(end)) => end <= start,
            (MomentAt::Local(start), MomentAt::Local(end)) => end <= start,
            _ => false,
        };
        if late {
            report.push(
                Diagnostic::new(
                    source,
                    end.span,
                    codes::OUT_OF_RANGE,
                    "the schedule ends before it starts",
                )
                .with_label(source, start.span, "the start"),
            );
        }
    }
}

fn check_datasets(group: &Spanned<DatasetGroup>, source: &Source, report: &mut Report) {
    let span = crate::read::head(source, group.span);
    let ways = [
        group.any.is_some(),
        group.all.is_some(),
        group.at_least.is_some() || group.of.is_some(),
    ];
    if ways.iter().filter(|way| **way).count() != 1 {
        let message = "`datasets` needs exactly one of `any`, `all`, or `at_least` with `of`";
        let code = if ways.contains(&true) {
            codes::CONFLICTING_KEYS
        } else {
            codes::MISSING_KEY
        };
        report.error(source, span, code, message).hint =
            Some("Write `any: [NAME, …]` for any of them.".into());
    }
    match (&group.at_least, &group.of) {
        (Some(least), None) => {
            report.error(
                source,
                least.span,
                codes::MISSING_KEY,
                "`at_least` needs the key `of` with the datasets",
            );
        }
        (None, Some(_)) => {
            report.error(
                source,
                span,
                codes::MISSING_KEY,
                "`of` needs the key `at_least` with a number",
            );
        }
        (Some(least), Some(of)) if least.value == 0 || least.value as usize > of.len() => {
            let message = format!("`at_least` must be from 1 to the {} datasets of `of`", of.len());
            report.error(source, least.span, codes::OUT_OF_RANGE, message);
        }
        _ => {}
    }
    for list in [&group.any, &group.all, &group.of].into_iter().flatten() {
        if list.is_empty() {
            report.error(source, span, codes::OUT_OF_RANGE, "the list of datasets is empty");
        }
        for (index, DatasetCondition(condition)) in list.iter().enumerate() {
            check_bounds(condition.metrics.as_ref(), source, report);
            let name = &condition.name;
            if list[..index]
                .iter()
                .any(|earlier| earlier.0.name.value == name.value)
            {
                let message = format!("the dataset `{}` stands twice in the list", name.value.0);
                report.error(source, name.span, codes::DUPLICATE_KEY, message);
            }
        }
    }
}

fn check_bounds(metrics: Option<&NameMap<Bounds>>, source: &Source, report: &mut Report) {
    for (name, entry) in metrics.into_iter().flat_map(NameMap::iter) {
        match (entry.value.min, entry.value.max) {
            (None, None) => {
                report.error(
                    source,
                    entry.key_span,
                    codes::MISSING_KEY,
                    format!("`{name}` needs `min` or `max`"),
                );
            }
            (Some(min), Some(max)) if min > max => {
                report.error(
                    source,
                    entry.key_span,
                    codes::OUT_OF_RANGE,
                    format!("`min` of `{name}` is above `max`"),
                );
            }
            _ => {}
        }
    }
}
