//! What plans ask of trials: which is the best, whether one is among the best. Tasks are named by id, and `steps` is
//! handed in, so that what an expression reads stays plain to see.

use minijinja::{Error, ErrorKind, Value};

/// The functions by name.
pub(super) fn functions() -> [(&'static str, Value); 3] {
    [
        ("best_of", Value::from_function(best_of)),
        ("among_best", Value::from_function(among_best)),
        ("has_gained", Value::from_function(has_gained)),
    ]
}

/// The task with the best metric; tasks that are not there, or have none, do not count.
fn best_of(steps: Value, ids: Vec<String>, by: Vec<String>) -> Result<Value, Error> {
    let best = ranked(&steps, &ids, &by)?.into_iter().next();
    let (id, _) = best.ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidOperation,
            format!("none of {} tasks reported the metric to select by", ids.len()),
        )
    })?;
    steps.get_item(&Value::from(id))
}

/// Whether a trial goes on: one in `factor` of those of its rung that ended with a figure does, at least one. Where no
/// task of the rung is part of the run, an earlier run's best stands in for the search, and it does.
fn among_best(
    steps: Value,
    own: String,
    ids: Vec<String>,
    by: Vec<String>,
    factor: usize,
) -> Result<bool, Error> {
    if !ids.iter().any(|id| is_there(&steps, id)) {
        return Ok(true);
    }
    let ranked = ranked(&steps, &ids, &by)?;
    let go_on = (ranked.len() / factor.max(1)).max(1);
    Ok(ranked.iter().take(go_on).any(|(id, _)| *id == own))
}

/// Whether the best of `ids` is better than the best of `earlier` by more than `gain`.
fn has_gained(
    steps: Value,
    earlier: Vec<String>,
    ids: Vec<String>,
    by: Vec<String>,
    gain: f64,
) -> Result<bool, Error> {
    let best = |ids: &[String]| -> Result<Option<f64>, Error> {
        Ok(ranked(&steps, ids, &by)?.first().map(|(_, value)| *value))
    };
    Ok(match (best(&earlier)?, best(&ids)?) {
        (Some(before), Some(now)) if is_rising(&by) => now - before > gain,
        (Some(before), Some(now)) => before - now > gain,
        _ => true,
    })
}

/// Tasks with a figure, best first, then in the order of the list.
fn ranked<'a>(steps: &Value, ids: &'a [String], by: &[String]) -> Result<Vec<(&'a str, f64)>, Error> {
    let metric = by.first().map_or("", String::as_str);
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        if !is_there(steps, id) {
            continue;
        }
        let metrics = steps.get_item(&Value::from(id.as_str()))?.get_attr("metrics")?;
        if metrics.is_undefined() || metrics.is_none() {
            continue;
        }
        let value = f64::try_from(metrics.get_item(&Value::from(metric))?);
        if let Some(value) = value.ok().filter(|value| value.is_finite()) {
            found.push((id.as_str(), value));
        }
    }
    if is_rising(by) {
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
    } else {
        found.sort_by(|a, b| a.1.total_cmp(&b.1));
    }
    Ok(found)
}

/// `by` is a metric and the way that it is better.
fn is_rising(by: &[String]) -> bool {
    by.get(1).is_some_and(|goal| goal == "maximize")
}

fn is_there(steps: &Value, id: &str) -> bool {
    steps
        .get_item(&Value::from(id))
        .is_ok_and(|step| !step.is_undefined())
}
