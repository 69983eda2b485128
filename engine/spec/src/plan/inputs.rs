//! What flows into a port, put together from its sources.

use super::{Goal, PlannedInput, Variant};

/// Sources as one input: the source itself, or a gathering of one port's outputs. `None` where they are neither.
pub(super) fn combine(mut sources: Vec<PlannedInput>) -> Option<PlannedInput> {
    if sources.len() <= 1 {
        return sources.pop();
    }
    let mut port = None;
    let mut tasks = Vec::with_capacity(sources.len());
    for source in &sources {
        match source {
            PlannedInput::Task { task, port: of } if port.is_none_or(|port| port == of) => {
                port = Some(of);
                tasks.push(task.clone());
            }
            _ => return None,
        }
    }
    let port = port?.clone();
    Some(PlannedInput::Gather { tasks, port })
}

/// The best of variants, each with the task whose metric decides. `None` where a variant's output is not one task's,
/// or their ports differ.
pub(super) fn select(
    variants: Vec<(PlannedInput, String)>,
    metric: &str,
    goal: Goal,
) -> Option<PlannedInput> {
    let mut port: Option<String> = None;
    let mut chosen = Vec::with_capacity(variants.len());
    for (source, metric_task) in variants {
        let PlannedInput::Task { task, port: of } = source else {
            return None;
        };
        if port.as_ref().is_some_and(|port| *port != of) {
            return None;
        }
        port = Some(of);
        chosen.push(Variant { task, metric_task });
    }
    Some(PlannedInput::Select {
        variants: chosen,
        port: port?,
        metric: metric.to_owned(),
        goal,
    })
}

/// The tasks that an input waits for.
pub(super) fn tasks(input: &PlannedInput, see: &mut dyn FnMut(&str)) {
    match input {
        PlannedInput::Task { task, .. } => see(task),
        PlannedInput::Gather { tasks, .. } => tasks.iter().for_each(|task| see(task)),
        PlannedInput::Select { variants, .. } => {
            for variant in variants {
                see(&variant.task);
                if variant.metric_task != variant.task {
                    see(&variant.metric_task);
                }
            }
        }
        PlannedInput::Dataset { .. } | PlannedInput::Model { .. } => {}
    }
}
