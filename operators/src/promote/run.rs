//! The operator: asks for the alias move; the engine makes it together with the task's end.

use std::sync::Arc;

use arrow::{
    array::{Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use async_trait::async_trait;
use twinloom_sdk::{AliasMove, Context, Done, Operator, OperatorError, OperatorInfo, Outcome, Runs, records};
use twinloom_store::{ModelManifest, Name};

use super::Config;
use crate::approve::{Verdict, verdict};

/// The operator `promote`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Promote;

#[async_trait]
impl Operator for Promote {
    type Config = Config;

    fn info(&self) -> OperatorInfo {
        let given = records::dataset_in(
            "verdict",
            "The verdict of `approve` on this model.",
            &verdict(),
            &["decision", "by", "comment", "candidate"],
        );
        OperatorInfo {
            name: "promote",
            version: "1",
            summary: "Points an alias at a model version; a no-op where it points there already.",
            inputs: vec![
                records::model_port("model", "The model version to promote."),
                // Not optional: where the approval is skipped, so is the promotion.
                given,
            ],
            outputs: vec![records::dataset_out(
                "promotion",
                "What was promoted, one row.",
                &promotion(),
            )],
            open_ports: false,
            runs: Runs::Inline,
            // Somebody may have moved the alias since.
            cacheable: false,
        }
    }

    async fn run(&self, context: &Context, config: Config) -> Result<Outcome, OperatorError> {
        check_alias(&config.alias)?;
        let model = context.model("model").await?;
        let verdict = if context.inputs("verdict").is_empty() {
            None
        } else {
            Some(Verdict::read(context).await?)
        };
        if let Some(verdict) = &verdict {
            allows(verdict, &model)?;
        }
        let aliases = context.store().aliases(&model.data.name).await?;
        let (row, moved) = match aliases.get(&config.alias) {
            Some(label) if label.version == model.version => {
                let (by, reason) = (label.by.clone(), label.reason.clone());
                (
                    Promotion {
                        previous: label.previous,
                        by,
                        reason,
                    },
                    false,
                )
            }
            found => {
                let (by, reason) = who_and_why(context, &config, verdict.as_ref());
                (
                    Promotion {
                        previous: found.map(|label| label.version),
                        by,
                        reason,
                    },
                    true,
                )
            }
        };
        let mut writer = context.stage_dataset("promotion", promotion(), &["model", "alias"])?;
        writer.write(row.batch(&model, &config.alias)?).await?;
        let mut done = Done::new()
            .metric("moved", moved)
            .metric("version", model.version);
        if moved {
            context.info(format!(
                "`{}` of {} goes to version {}",
                config.alias, model.data.name, model.version
            ));
            done = done.alias(AliasMove {
                model: model.data.name.clone(),
                alias: config.alias,
                version: model.version,
                by: row.by,
                reason: row.reason,
            });
        } else {
            context.info(format!(
                "`{}` of {} is at version {} already",
                config.alias, model.data.name, model.version
            ));
        }
        Ok(done.dataset("promotion", writer.finish().await?).into())
    }
}

/// `promotion`: keys `model`, `alias`; the `version` that it points at, the one before, `by` and `reason`.
#[must_use]
pub fn promotion() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("model", DataType::Utf8, false),
        Field::new("alias", DataType::Utf8, false),
        Field::new("version", DataType::Int64, false),
        Field::new("previous", DataType::Int64, true),
        Field::new("by", DataType::Utf8, false),
        Field::new("reason", DataType::Utf8, false),
    ]))
}

struct Promotion {
    previous: Option<u64>,
    by: String,
    reason: String,
}

impl Promotion {
    fn batch(&self, model: &ModelManifest, alias: &str) -> Result<RecordBatch, OperatorError> {
        let number =
            |number: u64| i64::try_from(number).map_err(|_| OperatorError::bug("promote.version", number));
        let text = |text: &str| Arc::new(StringArray::from(vec![text.to_owned()]));
        let previous = self.previous.map(number).transpose()?;
        Ok(RecordBatch::try_new(
            promotion(),
            vec![
                text(model.data.name.as_str()),
                text(alias),
                Arc::new(Int64Array::from(vec![number(model.version)?])),
                Arc::new(Int64Array::from(vec![previous])),
                text(&self.by),
                text(&self.reason),
            ],
        )?)
    }
}

fn check_alias(alias: &str) -> Result<(), OperatorError> {
    let number = alias.bytes().all(|byte| byte.is_ascii_digit());
    if Name::new(alias).is_ok() && alias != "latest" && !number {
        return Ok(());
    }
    Err(OperatorError::config(
        "promote.alias",
        format!("`{}` cannot be an alias", alias.escape_debug()),
        "Set `alias` to lower-case letters, digits, `_`, `-` and `.`; `latest` and numbers mean versions.",
    ))
}

/// A verdict on something else, or against it, does not open the gate.
fn allows(verdict: &Verdict, model: &ModelManifest) -> Result<(), OperatorError> {
    let id = model.id();
    if !verdict.approved {
        return Err(OperatorError::data(
            "promote.not_approved",
            format!("{} rejected {id}", verdict.by),
            "Give the step `if: ${{ steps.approve.metrics.approved }}`, so that it is skipped after a rejection.",
        ));
    }
    match &verdict.candidate {
        Some(candidate) if *candidate != id.to_string() => Err(OperatorError::config(
            "promote.other_candidate",
            format!("the verdict is on {candidate}, and the model is {id}"),
            "Connect the same model to `approve` (as `candidate`) and to `promote`.",
        )),
        _ => Ok(()),
    }
}

fn who_and_why(context: &Context, config: &Config, verdict: Option<&Verdict>) -> (String, String) {
    let run = || format!("run {}", context.task().run);
    let by = verdict.map_or_else(run, |verdict| verdict.by.clone());
    let comment = || verdict.and_then(|verdict| verdict.comment.clone());
    let approved = || verdict.map_or_else(|| format!("promoted by {by}"), |_| format!("approved by {by}"));
    let reason = config.reason.clone().or_else(comment).unwrap_or_else(approved);
    (by, reason)
}
