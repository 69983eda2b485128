//! `twinloom dags …` and `backfill`: DAGs of a server.

use serde_json::json;

use crate::{
    args::{BackfillArgs, DagsCommand},
    error::CliError,
    output,
    remote::{Remote, done, table},
};

/// Runs `dags`.
///
/// # Errors
/// What the server says.
pub async fn run(remote: &Remote, json: bool, command: DagsCommand) -> Result<(), CliError> {
    match command {
        DagsCommand::List => {
            table(
                remote,
                json,
                &["dags"],
                &["name", "paused", "valid", "next_fire", "triggers"],
            )
            .await
        }
        DagsCommand::Show { name } => {
            let dag = remote.get(&["dags", &name], &[]).await?;
            if json {
                return output::json(&dag);
            }
            output::line(&serde_json::to_string_pretty(&dag)?);
            Ok(())
        }
        DagsCommand::Pause { name } => {
            remote.post(&["dags", &name, "pause"], &json!({})).await?;
            done(
                json,
                &json!({ "dag": name, "paused": true }),
                &format!("{name} is paused"),
            )
        }
        DagsCommand::Resume { name } => {
            remote.post(&["dags", &name, "resume"], &json!({})).await?;
            done(
                json,
                &json!({ "dag": name, "paused": false }),
                &format!("{name} goes on"),
            )
        }
        DagsCommand::Fires { name } => table(remote, json, &["dags", &name, "fires"], &["at", "why"]).await,
        DagsCommand::Why { name } => {
            table(
                remote,
                json,
                &["dags", &name, "decisions"],
                &["at", "trigger", "fired", "run", "reason"],
            )
            .await
        }
    }
}

/// Runs `backfill`.
///
/// # Errors
/// What the server says.
pub async fn backfill(remote: &Remote, json: bool, args: &BackfillArgs) -> Result<(), CliError> {
    let path: [&str; 3] = ["dags", &args.dag, "backfill"];
    let answer = if args.preview {
        let range = [("from", args.from), ("to", args.to)].map(|(name, at)| (name, Some(at.to_string())));
        remote.get(&path, &range).await?
    } else {
        let body = json!({ "from": args.from, "to": args.to });
        remote.post(&path, &body).await?
    };
    if json {
        return output::json(&answer);
    }
    for fire in answer["fires"].as_array().into_iter().flatten() {
        let run = fire["run"]
            .as_str()
            .map(|run| format!("  has run {run}"))
            .unwrap_or_default();
        output::line(&format!(
            "{}  {}{run}",
            fire["at"].as_str().unwrap_or_default(),
            fire["why"].as_str().unwrap_or_default()
        ));
    }
    let runs = answer["runs"].as_array().map_or(0, Vec::len);
    output::say(&if args.preview {
        "nothing was started".to_owned()
    } else {
        format!("{runs} runs started")
    });
    Ok(())
}
