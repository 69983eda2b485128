//! The operator `evaluate`.

use std::{collections::BTreeMap, f64::consts::LN_2};

use async_trait::async_trait;
use serde_json::json;
use tch::{Device, Kind};
use twinloom_operators::evaluate::{Config, info};
use twinloom_sdk::{Context, Done, Operator, OperatorError, OperatorInfo, Outcome, records};

use super::{
    Verdict,
    bootstrap::{Interval, Part, interval},
    decide,
    gate::Evidence,
    measure::{Covered, Measured, measure, style_of},
    memorisation::median,
    report::{Figure, rows},
    sample::{Sample, sample},
    style::band,
    subject::{Subject, own_base},
};
use crate::{device, generate::TextModel, train::base::Base};

/// Documents whose comparison is kept as evidence.
const SHOWN: usize = 20;

/// Judges a candidate.
pub struct EvaluateOperator;

/// What is compared with what.
struct Compared {
    candidate: Subject,
    base: Base,
    production: Option<Subject>,
}

/// All measurements.
struct Results {
    candidate: Measured,
    base: Measured,
    production: Option<Measured>,
}

#[async_trait]
impl Operator for EvaluateOperator {
    type Config = Config;

    fn info(&self) -> OperatorInfo {
        info()
    }

    async fn run(&self, context: &Context, config: Config) -> Result<Outcome, OperatorError> {
        config.check()?;
        let sample = sample(context, &config).await?;
        context.info(format!(
            "{} of {} held-out rows are measured, {} are left out as leaked",
            sample.held.len(),
            sample.held_total,
            sample.leaked.len()
        ));
        let compared = find(context, &config).await?;
        let (attempt, settings) = (context.clone(), config.clone());
        let (sample, compared, results) = tokio::task::spawn_blocking(move || {
            let results = run_models(&attempt, &settings, &sample, &compared)?;
            Ok::<_, OperatorError>((sample, compared, results))
        })
        .await??;
        write(context, &config, &sample, &compared, &results).await
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
            Some(
                Subject::find(
                    context,
                    &manifest,
                    "production",
                    same_base.then_some(&candidate.base),
                )
                .await?,
            )
        }
    };
    Ok(Compared {
        candidate,
        base,
        production,
    })
}

/// Runs every model, each loaded once.
fn run_models(
    context: &Context,
    config: &Config,
    sample: &Sample,
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
    let mut model = load(&compared.base)?;
    context.info(format!("measuring the base {}", compared.base.name()));
    let base = measure(context, config, &model, sample, true)?;
    let mut use_base = |wanted: &Base, on: &mut Base| -> Result<(), OperatorError> {
        if wanted != on {
            model = load(wanted)?;
            *on = wanted.clone();
        }
        Ok(())
    };
    let mut on = compared.base.clone();
    use_base(&compared.candidate.base, &mut on)?;
    model.use_adapter(compared.candidate.adapter.as_deref())?;
    context.info(format!("measuring the candidate {}", compared.candidate.name));
    let candidate = measure(context, config, &model, sample, true)?;
    let production = match &compared.production {
        None => None,
        Some(subject) => {
            if subject.base != on {
                model = load(&subject.base)?;
            }
            model.use_adapter(subject.adapter.as_deref())?;
            context.info(format!("measuring production {}", subject.name));
            Some(measure(context, config, &model, sample, false)?)
        }
    };
    Ok(Results {
        candidate,
        base,
        production,
    })
}

/// Intervals of a model alone, and of pairs.
struct Statistics<'a> {
    config: &'a Config,
}

impl Statistics<'_> {
    fn interval(&self, parts: Vec<Part>) -> Interval {
        interval(&parts, self.config.resamples, self.config.confidence, 0)
    }

    fn loss(&self, of: &Measured) -> Interval {
        self.interval(
            of.documents
                .values()
                .map(|all| Part {
                    sum: all.loss.sum,
                    weight: all.loss.tokens as f64,
                })
                .collect(),
        )
    }

    fn bits(&self, of: &Measured) -> Interval {
        self.interval(
            of.documents
                .values()
                .map(|all| Part {
                    sum: all.loss.sum / LN_2,
                    weight: all.bytes as f64,
                })
                .collect(),
        )
    }

    /// Bits a byte of `a` less those of `b`, by document. Works across tokenizers.
    fn bits_difference(&self, a: &Measured, b: &Measured) -> Interval {
        let parts = pairs(a, b).map(|(_, a, b)| {
            let weight = a.bytes.min(b.bytes) as f64;
            Part {
                sum: (bits(a) - bits(b)) * weight,
                weight,
            }
        });
        self.interval(parts.collect())
    }

    /// Nats a token of `a` less those of `b`, by document. For one tokenizer; else nats a token of `b` for equal text.
    fn loss_difference(&self, a: &Measured, b: &Measured) -> Interval {
        let parts = pairs(a, b).map(|(_, a, b)| {
            // With one tokenizer and context, both covered the same tokens and this factor is 1.
            let same_text = if b.bytes == 0 {
                1.0
            } else {
                a.bytes as f64 / b.bytes as f64
            };
            Part {
                sum: a.loss.sum - b.loss.sum * same_text,
                weight: a.loss.tokens as f64,
            }
        });
        self.interval(parts.collect())
    }
}

fn bits(of: &Covered) -> f64 {
    of.loss.sum / LN_2 / (of.bytes.max(1) as f64)
}

fn pairs<'a>(
    a: &'a Measured,
    b: &'a Measured,
) -> impl Iterator<Item = (&'a String, &'a Covered, &'a Covered)> {
    a.documents
        .iter()
        .filter_map(|(document, own)| Some((document, own, b.documents.get(document)?)))
}

async fn write(
    context: &Context,
    config: &Config,
    sample: &Sample,
    compared: &Compared,
    results: &Results,
) -> Result<Outcome, OperatorError> {
    let statistics = Statistics { config };
    let evidence = Evidence {
        documents: results.candidate.documents.len(),
        improvement: statistics.loss_difference(&results.base, &results.candidate),
        regression: results
            .production
            .as_ref()
            .map(|production| statistics.bits_difference(&results.candidate, production)),
        recited_share: (!results.candidate.recited.is_empty()).then(|| median(&results.candidate.recited)),
    };
    let verdict = decide(&config.gate, &evidence);
    let figures = figures(
        config,
        sample,
        compared,
        results,
        &statistics,
        &evidence,
        &verdict,
    );
    for check in &verdict.checks {
        let word = if check.passed { "passed" } else { "FAILED" };
        context.info(format!("gate {} {word}: {}", check.name, check.why));
    }
    let mut writer = context.stage_dataset("report", records::report(), &["metric", "subject"])?;
    writer.write(rows(&figures)?).await?;
    writer.set_metric("passed", json!(verdict.passed));
    writer.set_check("gate", verdict.passed);
    let staged = writer.finish().await?;
    let (candidate, base) = (
        statistics.loss(&results.candidate),
        statistics.loss(&results.base),
    );
    let better = evidence.improvement;
    let mut done = Done::new()
        .metric("passed", verdict.passed)
        .metric("eval_loss", candidate.value)
        .metric("base_loss", base.value)
        .metric("improvement", better.value)
        .metric("improvement_low", better.low)
        .metric("improvement_high", better.high)
        .metric("perplexity", candidate.value.exp())
        .metric("base_perplexity", base.value.exp())
        .metric("documents", evidence.documents)
        .metric("rows", sample.held.len())
        .metric("leaked_share", sample.leaked_share())
        .metric("candidate", compared.candidate.name.as_str())
        .metric("base", compared.base.name())
        .metric(
            "verdict",
            verdict
                .checks
                .iter()
                .map(|check| check.why.as_str())
                .collect::<Vec<_>>()
                .join("; "),
        );
    if let Some(share) = evidence.recited_share {
        done = done.metric("recited_share", share);
    }
    if let (Some(worse), Some(production)) = (evidence.regression, &compared.production) {
        done = done
            .metric("production", production.name.as_str())
            .metric("regression", worse.value);
    }
    Ok(done.dataset("report", staged).into())
}

fn figures(
    config: &Config,
    sample: &Sample,
    compared: &Compared,
    results: &Results,
    statistics: &Statistics<'_>,
    evidence: &Evidence,
    verdict: &Verdict,
) -> Vec<Figure> {
    let mut figures = vec![
        Figure::new("gate", "candidate", f64::from(u8::from(verdict.passed)))
            .with(json!({"checks": verdict.checks, "candidate": compared.candidate.name, "base": compared.base.name()})),
        Figure::new("documents", "candidate", evidence.documents as f64)
            .checked(verdict.check("min_documents"))
            .with(json!({"rows": sample.held.len(), "held_out_rows": sample.held_total, "training_rows": sample.train_total})),
        Figure::new("leaked_share", "candidate", sample.leaked_share())
            .with(json!({"rows": sample.leaked.len(), "ngram": config.leakage.ngram, "left_out": true})),
        Figure::of("held_out_loss", "difference", evidence.improvement)
            .checked(verdict.check("min_improvement"))
            .with(json!({"unit": "nats a token", "of": "base less candidate", "documents": by_document(results)})),
    ];
    let named = [
        ("candidate", Some(&results.candidate)),
        ("base", Some(&results.base)),
        ("production", results.production.as_ref()),
    ];
    for (subject, measured) in named
        .into_iter()
        .filter_map(|(name, measured)| Some((name, measured?)))
    {
        let loss = statistics.loss(measured);
        figures.push(Figure::of("held_out_loss", subject, loss));
        figures.push(Figure::of("perplexity", subject, loss.map(f64::exp)));
        figures.push(Figure::of("bits_per_byte", subject, statistics.bits(measured)));
    }
    if let Some(worse) = evidence.regression {
        let figure =
            Figure::of("bits_per_byte", "difference", worse).checked(verdict.check("max_regression"));
        figures.push(figure.with(json!({"of": "candidate less production"})));
    }
    for (subject, measured) in [("candidate", &results.candidate), ("base", &results.base)] {
        if !measured.recited.is_empty() {
            let check = if subject == "candidate" {
                verdict.check("max_recited_share")
            } else {
                None
            };
            let most = measured.recited.iter().copied().fold(0.0, f64::max);
            let evidence = json!({"probes": measured.recited.len(), "most": most, "most_recited": measured.most_recited});
            figures.push(
                Figure::new("recited_share", subject, median(&measured.recited))
                    .checked(check)
                    .with(evidence),
            );
        }
    }
    figures.extend(style(sample, results));
    figures
}

/// Distance of what base and candidate wrote from the author's training text, beside the author's own band.
fn style(sample: &Sample, results: &Results) -> Vec<Figure> {
    let texts: Vec<&str> = sample.train.iter().map(|row| row.answer.as_str()).collect();
    let author = super::style::Profile::new(&texts.join("\n"));
    let mut figures = Vec::new();
    for (subject, measured) in [("candidate", &results.candidate), ("base", &results.base)] {
        if !measured.written.is_empty() {
            let distance = style_of(&measured.written).distance(&author);
            let shown: Vec<_> = measured.written.iter().take(3).collect();
            figures.push(Figure::new("style_distance", subject, distance).with(json!({"written": shown})));
        }
    }
    let size = style_of(&results.candidate.written).total();
    if let Some(own) = band(&texts, size).filter(|_| !results.candidate.written.is_empty()) {
        let band = Interval {
            value: own.median,
            low: own.low,
            high: own.high,
        };
        figures.push(
            Figure::of("style_distance", "author", band)
                .with(json!({"part_size": size, "interval": "5% to 95% of parts"})),
        );
    }
    figures
}

/// The documents that differ most, either way.
fn by_document(results: &Results) -> BTreeMap<&str, f64> {
    let difference = |a: &Covered, b: &Covered| b.loss.mean() - a.loss.mean();
    let mut all: Vec<(&str, f64)> = pairs(&results.candidate, &results.base)
        .map(|(document, a, b)| (document.as_str(), difference(a, b)))
        .collect();
    all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(b.0)));
    all.into_iter().take(SHOWN).collect()
}
