//! Trials of a search that fail.

use super::run::Run;

/// Whether a search can do without a task that failed: it belongs to a trial, and another trial (or the same one with a
/// smaller budget) has a figure, or may still get one. So the last one to fail is what fails the run.
pub fn can_do_without(run: &Run, index: usize) -> bool {
    let Some(own) = run.plan.tasks[index]
        .trial
        .as_deref()
        .filter(|trial| trial.of > 1)
    else {
        return false;
    };
    run.plan.tasks.iter().zip(&run.tasks).any(|(planned, task)| {
        let Some(trial) = planned.trial.as_deref() else {
            return false;
        };
        let other = trial.number != own.number || trial.rung < own.rung;
        let decides = planned.id == trial.metric_task;
        let state = task.row.state;
        trial.search == own.search
            && other
            && decides
            && trial.rung <= own.rung
            && (state.succeeded() || !state.ended())
    })
}
