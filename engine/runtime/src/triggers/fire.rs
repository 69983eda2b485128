//! From a decision to a run, in one transaction.

use serde_json::{Map, Value, json};
use twinloom_meta::{Change, MetaError, NewEvent, TriggerDecisionRow, event};

use super::{
    condition::Condition,
    live::{Live, Pending},
};
use crate::{
    Engine, EngineError, Submit,
    dags::{DagFolder, DagsError},
    failpoint,
};

/// Runs that start runs that start runs: a longer chain is taken for a circle.
const LONGEST_CHAIN: u64 = 50;

/// How starting the pending runs of a trigger ended.
pub enum Outcome {
    /// All are started, or can never be.
    Done,
    /// The database or the store does not answer now.
    Later,
    /// Another scheduler has moved the trigger.
    Moved,
}

/// Starts what is pending, in order.
pub async fn all(engine: Engine, dags: DagFolder, mut live: Live) -> (Live, Outcome) {
    while let Some(pending) = live.pending.front() {
        match one(&engine, &dags, &live, pending).await {
            Ok(advance) => {
                live.advanced(advance);
                live.decisions.clear();
                live.not_before = None;
                live.pending.pop_front();
            }
            Err(EngineError::Meta(MetaError::Superseded { .. })) => return (live, Outcome::Moved),
            Err(error) => {
                tracing::warn!(dag = live.row.dag, trigger = live.row.id, %error, "a triggered run could not be started; trying again");
                return (live, Outcome::Later);
            }
        }
    }
    (live, Outcome::Done)
}

/// What keeps a run from ever starting.
struct Never(String);

async fn one(
    engine: &Engine,
    dags: &DagFolder,
    live: &Live,
    pending: &Pending,
) -> Result<twinloom_meta::TriggerAdvance, EngineError> {
    let Pending { cause, state, cursor } = pending;
    let now = engine.now();
    let refused = match ready(engine, dags, live, pending).await? {
        Ok((submit, run)) => {
            let advance = live.advance(state, *cursor, Some((now, run.clone())));
            let payload = json!({
                "dag": live.row.dag, "trigger": live.row.id, "kind": live.row.kind, "run": run, "event": cause.event,
                "reason": cause.reason,
            });
            let mut changes = vec![
                Change::from(advance.clone()),
                event(event::TRIGGER_FIRED, &live.row.dag, payload, now),
                decision(live, pending, Some(run.clone()), cause.reason.clone()),
            ];
            if let Some(at) = cause.detail.get("scheduled_for") {
                let payload = json!({ "dag": live.row.dag, "scheduled_for": at, "run": run });
                changes.push(event(event::SCHEDULE_TICK, &live.row.dag, payload, now));
            }
            changes.extend(live.decisions.iter().cloned().map(Change::from));
            failpoint::hit(failpoint::TRIGGER_FIRES);
            match engine.submit_with(submit, changes).await {
                Ok(_) => return Ok(advance),
                Err(error) if passes(&error) => return Err(error),
                Err(error) => Never(format!("{error} ({}).", error.code())),
            }
        }
        Err(never) => never,
    };
    // It is decided all the same: said in the log, and never tried again.
    let Never(why) = refused;
    let reason = format!("{} It started no run: {why}", cause.reason);
    tracing::warn!(
        dag = live.row.dag,
        trigger = live.row.id,
        reason,
        "a trigger could not start its run"
    );
    let advance = live.advance(state, *cursor, None);
    let payload =
        json!({ "dag": live.row.dag, "trigger": live.row.id, "event": cause.event, "reason": reason });
    let mut changes = vec![
        Change::from(advance.clone()),
        event(event::TRIGGER_FAILED, &live.row.dag, payload, now),
        decision(live, pending, None, reason),
    ];
    changes.extend(live.decisions.iter().cloned().map(Change::from));
    engine.config().meta.apply(changes, &[]).await?;
    Ok(advance)
}

/// The run to ask for, with its id.
async fn ready(
    engine: &Engine,
    dags: &DagFolder,
    live: &Live,
    pending: &Pending,
) -> Result<Result<(Submit, String), Never>, EngineError> {
    let cause = &pending.cause;
    let depth = depth(engine, cause.run.as_deref()).await?;
    if depth > LONGEST_CHAIN {
        let why = format!("{LONGEST_CHAIN} runs have started each other in a chain: a circle of triggers.");
        return Ok(Err(Never(why)));
    }
    let params = match params(engine, live, pending).await? {
        Ok(params) => params,
        Err(never) => return Ok(Err(never)),
    };
    let (plan, dag_text) = match dags.plan(&live.row.dag, &params) {
        Ok(plan) => plan,
        Err(DagsError::Invalid { diagnostics, .. }) => {
            let first = diagnostics.0.first().map(ToString::to_string).unwrap_or_default();
            return Ok(Err(Never(format!("its plan cannot be made: {first}"))));
        }
        Err(error) => return Ok(Err(Never(error.to_string()))),
    };
    let mut trigger = Map::new();
    trigger.insert("kind".to_owned(), live.row.kind.clone().into());
    trigger.insert("trigger".to_owned(), live.row.id.clone().into());
    trigger.insert("reason".to_owned(), cause.reason.clone().into());
    if let Some(event) = cause.event {
        trigger.insert("event".to_owned(), event.into());
    }
    if depth > 0 {
        trigger.insert("depth".to_owned(), depth.into());
        trigger.insert("cause_run".to_owned(), cause.run.clone().into());
    }
    trigger.extend(cause.detail.clone());
    let run = engine.config().clock.id();
    let submit = Submit {
        plan,
        dag_text,
        trigger: Value::Object(trigger),
        run_id: Some(run.clone()),
    };
    Ok(Ok((submit, run)))
}

/// How many runs have started each other before this one.
async fn depth(engine: &Engine, run: Option<&str>) -> Result<u64, EngineError> {
    let Some(run) = run else { return Ok(0) };
    match engine.config().meta.run_head(run).await {
        Ok(head) => Ok(head.trigger.get("depth").and_then(Value::as_u64).unwrap_or(0) + 1),
        Err(MetaError::NotFound { .. }) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

/// Parameters from the payloads of events.
async fn params(
    engine: &Engine,
    live: &Live,
    pending: &Pending,
) -> Result<Result<Map<String, Value>, Never>, EngineError> {
    let (pointers, batch) = match &live.machine.condition {
        Condition::Webhook(hook) => (&hook.params, 1),
        Condition::Queue(queue) => (&queue.params, queue.batch),
        _ => return Ok(Ok(Map::new())),
    };
    if pointers.is_empty() {
        return Ok(Ok(Map::new()));
    }
    let rows = engine.config().meta.events_of(&pending.cause.payloads).await?;
    let mut bodies: Vec<Value> = rows
        .into_iter()
        .map(|mut row| row.payload.get_mut("body").map(Value::take).unwrap_or_default())
        .collect();
    // Several messages are a list, even where only one was there.
    let body = match bodies.pop() {
        Some(body) if batch == 1 => body,
        Some(last) => {
            bodies.push(last);
            Value::Array(bodies)
        }
        None => Value::Null,
    };
    let mut params = Map::new();
    for (name, pointer) in pointers {
        match body.pointer(pointer) {
            Some(value) => drop(params.insert(name.clone(), value.clone())),
            None => {
                return Ok(Err(Never(format!(
                    "the message has nothing at `{pointer}` for the parameter `{name}`."
                ))));
            }
        }
    }
    Ok(Ok(params))
}

/// Whether it may go better later.
fn passes(error: &EngineError) -> bool {
    match error {
        EngineError::Meta(error) => {
            error.retryable()
                || matches!(
                    error,
                    MetaError::Superseded { .. } | MetaError::NotWritable { .. } | MetaError::Database { .. }
                )
        }
        EngineError::Store(error) | EngineError::Input { source: error, .. } => error.retryable(),
        EngineError::Stopped { .. } | EngineError::Home { .. } => true,
        _ => false,
    }
}

fn event(kind: &str, dag: &str, payload: Value, at: jiff::Timestamp) -> Change {
    Change::Event(NewEvent {
        kind: kind.to_owned(),
        subject: dag.to_owned(),
        payload,
        at,
    })
}

fn decision(live: &Live, pending: &Pending, run: Option<String>, reason: String) -> Change {
    Change::from(TriggerDecisionRow {
        dag: live.row.dag.clone(),
        trigger: live.row.id.clone(),
        cause: pending.cause.key.clone(),
        event: pending.cause.event,
        at: pending.cause.at,
        fired: run.is_some(),
        run,
        reason,
    })
}
