//! The operator `evaluate`.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use tch::{Device, Kind};
use twinloom_operators::{
    evaluate::{
        Config, info,
        judge::{Judge, Judged, Pair},
        page, page_schema,
    },
    text::rows::RowBuilder,
};
use twinloom_sdk::{Context, Done, Operator, OperatorError, OperatorInfo, Outcome, records};

use super::{
    ability::items,
    control::control,
    figures::{Findings, Names, Results, document, findings},
    measure::{Material, Measured, measure},
    report::rows,
    sample::sample,
    subject::{Subject, own_base},
};
use crate::{device, generate::TextModel, one::One, train::base::Base};

/// Judges a candidate.
pub struct EvaluateOperator;

/// What is compared with what.
struct Compared {
    candidate: Subject,
    base: Base,
    production: Option<Subject>,
    /// The candidate's held-out loss by step, as its training reported it.
    curve: Vec<(f64, f64)>,
}

#[async_trait]
impl Operator for EvaluateOperator {
    type Config = Config;

    fn info(&self) -> OperatorInfo {
        info()
    }

    async fn run(&self, context: &Context, config: Config) -> Result<Outcome, OperatorError> {
        config.check()?;
        // A judge that cannot be asked is found out before an hour of measuring.
        let judge = match &config.judge {
            Some(judge) => Some(Judge::open(context, judge).await?),
            None => None,
        };
        let mut items = items()?;
        items.truncate(config.ability.items);
        let material = Arc::new(Material {
            sample: sample(context, &config).await?,
            control: control(context, config.control.rows).await?,
            items,
        });
        context.info(format!(
            "{} of {} held-out rows are measured, {} are left out as leaked",
            material.sample.held.len(),
            material.sample.held_total,
            material.sample.leaked.len()
        ));
        let compared = find(context, &config).await?;
        let (attempt, settings, given) = (context.clone(), config.clone(), Arc::clone(&material));
        let (compared, mut results) = tokio::task::spawn_blocking(move || {
            let results = run_models(&attempt, &settings, &given, &compared)?;
            Ok::<_, OperatorError>((compared, results))
        })
        .await??;
        if let Some(judge) = judge {
            context.info("asking the judge");
            let other = Some(&results.base);
            let judged = judged(context, &judge, &material, &results.candidate, other).await?;
            let other = results.production.as_ref();
            results.judged_production =
                self::judged(context, &judge, &material, &results.candidate, other).await?;
            results.judged = judged;
        }
        write(context, &config, &material, compared, &results).await
    }
}

async fn find(context: &Context, config: &Config) -> Result<Compared, OperatorError> {
    let manifest = context.model("candidate").await?;
    let given = Base::find(context, "base", config.base_path.as_deref()).await?;
    // The candidate runs on what it was trained on, whatever it is compared with.
    let candidate = Subject::find(context, &manifest, "candidate", None).await?;
    let base = match (given, &candidate.adapter) {
        (Some(base), _) => base,
        (None, Some(_)) => candidate.base.clone(),
        (None, None) => own_base(context, &manifest, "candidate-base").await?,
    };
    let production = match context.inputs("production") {
        [] => None,
        [input, ..] if input.id == manifest.id() => {
            context.info("the candidate is what is in production: the two are not compared");
            None
        }
        [input, ..] => {
            let manifest = context.store().model_exact(&input.id).await?;
            let same_base = manifest.data.base.is_some() && manifest.data.base == candidate.base.id;
            let on = same_base.then_some(&candidate.base);
            Some(Subject::find(context, &manifest, "production", on).await?)
        }
    };
    let point = |point: &Value| Some((point.get(0)?.as_f64()?, point.get(1)?.as_f64()?));
    let points = manifest.data.metrics.get("eval_curve").and_then(Value::as_array);
    Ok(Compared {
        candidate,
        base,
        production,
        curve: points.into_iter().flatten().filter_map(point).collect(),
    })
}

/// Runs every model, each loaded once.
fn run_models(
    context: &Context,
    config: &Config,
    material: &Material,
    compared: &Compared,
) -> Result<Results, OperatorError> {
    crate::train::set_threads(config.threads);
    let device = device::parse(&config.device)?;
    let load = |base: &Base| {
        let kind = if device == Device::Cpu {
            Kind::Float
        } else {
            Kind::BFloat16
        };
        TextModel::load(&base.dir, device, Some(kind))
    };
    let mut loaded = One::default();
    let mut with = |wanted: &Base, adapter, name: &str| -> Result<Measured, OperatorError> {
        let model = loaded.turn_to(wanted, load)?;
        model.use_adapter(adapter)?;
        context.info(format!("measuring {name}"));
        measure(context, config, model, material)
    };
    let base = with(
        &compared.base,
        None,
        &format!("the base {}", compared.base.name()),
    )?;
    let own = &compared.candidate;
    let candidate = with(
        &own.base,
        own.adapter.as_deref(),
        &format!("the candidate {}", own.name),
    )?;
    let production = match &compared.production {
        None => None,
        Some(other) => {
            let name = format!("production {}", other.name);
            Some(with(&other.base, other.adapter.as_deref(), &name)?)
        }
    };
    Ok(Results {
        candidate,
        base,
        production,
        judged: None,
        judged_production: None,
    })
}

/// What the judge says of the candidate's texts and another's.
async fn judged(
    context: &Context,
    judge: &Judge,
    material: &Material,
    candidate: &Measured,
    other: Option<&Measured>,
) -> Result<Option<Judged>, OperatorError> {
    let Some(other) = other.filter(|other| !other.written.is_empty()) else {
        return Ok(None);
    };
    let texts = candidate.written.iter().zip(&other.written);
    let pairs: Vec<Pair> = material
        .sample
        .held
        .iter()
        .zip(texts)
        .map(|(row, (ours, other))| Pair {
            instruction: row.instruction.clone(),
            author: row.answer.clone(),
            ours: ours.clone(),
            other: other.clone(),
        })
        .collect();
    judge.compare(context, &pairs).await.map(Some)
}

async fn write(
    context: &Context,
    config: &Config,
    material: &Material,
    compared: Compared,
    results: &Results,
) -> Result<Outcome, OperatorError> {
    let names = Names {
        candidate: compared.candidate.name.clone(),
        base: compared.base.name(),
        production: compared
            .production
            .as_ref()
            .map(|production| production.name.clone()),
    };
    let findings = findings(config, material, &names, results);
    for check in &findings.verdict.checks {
        if check.passed {
            context.info(format!("gate {} passed: {}", check.name, check.why));
        } else {
            context.warn(format!("gate {} FAILED: {}", check.name, check.why));
        }
    }
    let mut writer = context.stage_dataset("report", records::report(), &["metric", "subject"])?;
    writer.write(rows(&findings.figures)?).await?;
    writer.set_metric("passed", json!(findings.verdict.passed));
    writer.set_check("gate", findings.verdict.passed);
    let mut done = summary(&names, material, &findings).dataset("report", writer.finish().await?);
    if context.output_name("page").is_some() {
        let inputs = context
            .input_versions()
            .into_iter()
            .map(|input| (input.port, input.id.to_string()))
            .collect();
        let report = document(
            config,
            material,
            &names,
            results,
            &findings,
            compared.curve,
            inputs,
        );
        let mut files = RowBuilder::new(page_schema())?;
        let json = serde_json::to_string_pretty(&report)
            .map_err(|error| OperatorError::bug("evaluate.report", error))?;
        files.push([
            "report.html".into(),
            "text/html".into(),
            page(&report).as_str().into(),
        ])?;
        files.push([
            "report.json".into(),
            "application/json".into(),
            json.as_str().into(),
        ])?;
        let mut writer = context.stage_dataset("page", page_schema(), &["name"])?;
        writer.write(files.finish()?).await?;
        done = done.dataset("page", writer.finish().await?);
    }
    Ok(done.into())
}

/// The step's metrics.
fn summary(names: &Names, material: &Material, findings: &Findings) -> Done {
    let Findings {
        evidence,
        verdict,
        figures,
    } = findings;
    let words: Vec<&str> = verdict.checks.iter().map(|check| check.why.as_str()).collect();
    let better = evidence.improvement;
    let mut done = Done::new()
        .metric("passed", verdict.passed)
        .metric("improvement", better.value)
        .metric("improvement_low", better.low)
        .metric("improvement_high", better.high)
        .metric("documents", evidence.documents)
        .metric("rows", material.sample.held.len())
        .metric("leaked_share", material.sample.leaked_share())
        .metric("candidate", names.candidate.as_str())
        .metric("base", names.base.as_str())
        .metric("verdict", words.join("; "));
    let missed: Vec<&str> = verdict
        .checks
        .iter()
        .filter(|check| !check.passed)
        .map(|check| check.why.as_str())
        .collect();
    if !missed.is_empty() {
        done = done.metric("missed", missed.join("; "));
    }
    let of = |metric: &str, subject: &str| {
        let figure = figures
            .iter()
            .find(|figure| figure.metric == metric && figure.subject == subject);
        figure.map(|figure| figure.value)
    };
    for (name, metric, subject) in [
        ("eval_loss", "held_out_loss", "candidate"),
        ("base_loss", "held_out_loss", "base"),
        ("perplexity", "perplexity", "candidate"),
        ("base_perplexity", "perplexity", "base"),
        ("gain", "gain", "author"),
        ("control_gain", "gain", "others"),
        ("recited_share", "recited_share", "candidate"),
        ("extracted_share", "extracted_share", "candidate"),
        ("style_distance", "style_distance", "candidate"),
        ("ability", "ability", "candidate"),
        ("ability_drop", "ability", "difference"),
        ("judge_win_rate", "judge_win_rate", "base"),
        ("judge_agreement", "judge_agreement", "base"),
        ("regression", "bits_per_byte", "difference"),
    ] {
        if let Some(value) = of(metric, subject) {
            done = done.metric(name, value);
        }
    }
    match &names.production {
        Some(production) => done.metric("production", production.as_str()),
        None => done,
    }
}
