//! From measurements to figures: rows of the report, the gate's verdict, and the document behind the page.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use twinloom_operators::evaluate::{
    Config,
    judge::Judged,
    report::{CheckLine, FigureLine, Report, Rows, SampleLine},
};

use super::{
    Verdict,
    ability::chance,
    bootstrap::Interval,
    decide,
    gate::Evidence,
    measure::{Material, Measured},
    memorisation::{Runs, median},
    report::Figure,
    statistics::{Statistics, pairs},
    style::{Profile, Vocabulary, band},
};

/// Documents whose comparison is kept as evidence.
const SHOWN: usize = 20;

/// Characters of a text that the report shows.
const SHOWN_CHARS: usize = 1200;

/// All measurements.
pub struct Results {
    /// Of the candidate.
    pub candidate: Measured,
    /// Of what it is compared with.
    pub base: Measured,
    /// Of what is in use.
    pub production: Option<Measured>,
    /// What a judge says of candidate and base.
    pub judged: Option<Judged>,
    /// What it says of candidate and production.
    pub judged_production: Option<Judged>,
}

/// What the models are called.
pub struct Names {
    /// `twin@4`.
    pub candidate: String,
    /// `nano@2`, or a folder.
    pub base: String,
    /// `twin@3`.
    pub production: Option<String>,
}

/// Everything that comes out.
pub struct Findings {
    /// What the gate looked at.
    pub evidence: Evidence,
    /// What it says.
    pub verdict: Verdict,
    /// Rows of the report.
    pub figures: Vec<Figure>,
}

impl Results {
    /// The models by subject.
    fn subjects(&self) -> impl Iterator<Item = (&'static str, &Measured)> {
        let production = self.production.as_ref();
        [("candidate", &self.candidate), ("base", &self.base)]
            .into_iter()
            .chain(production.map(|production| ("production", production)))
    }
}

/// Makes the figures, and holds them against the gate.
pub fn findings(config: &Config, material: &Material, names: &Names, results: &Results) -> Findings {
    let statistics = Statistics {
        resamples: config.resamples,
        confidence: config.confidence,
    };
    let (candidate, base) = (&results.candidate, &results.base);
    let style = styles(material, results);
    let excess = style
        .author
        .and_then(|own| Some(style.distance("candidate")? - own.high));
    let evidence = Evidence {
        documents: candidate.documents.len(),
        improvement: statistics.loss_difference(&base.documents, &candidate.documents),
        regression: results
            .production
            .as_ref()
            .map(|production| statistics.bits_difference(&candidate.documents, &production.documents)),
        recited_share: (!candidate.recited.is_empty()).then(|| median(&candidate.recited)),
        extracted_share: (!candidate.recited.is_empty())
            .then(|| share(candidate.extracted, candidate.recited.len())),
        ability_drop: (!candidate.ability.is_empty()).then(|| {
            let points = base.ability.iter().zip(&candidate.ability);
            statistics.mean(points.map(|(base, own)| f64::from(u8::from(*base)) - f64::from(u8::from(*own))))
        }),
        style_excess: excess,
        judge_wins: results.judged.as_ref().map(Judged::win_rate),
    };
    let verdict = decide(&config.gate, &evidence);
    let mut figures = overview(config, material, names, results, &evidence, &verdict);
    figures.extend(losses(&statistics, results, &evidence, &verdict));
    figures.extend(memory(material, results, &verdict));
    figures.extend(style.figures(results, &verdict));
    figures.extend(abilities(&statistics, material, results, &evidence, &verdict));
    for (subject, judged) in [
        ("base", &results.judged),
        ("production", &results.judged_production),
    ] {
        if let Some(judged) = judged {
            figures.extend(judgements(&statistics, subject, judged, &verdict));
        }
    }
    Findings {
        evidence,
        verdict,
        figures,
    }
}

fn overview(
    config: &Config,
    material: &Material,
    names: &Names,
    results: &Results,
    evidence: &Evidence,
    verdict: &Verdict,
) -> Vec<Figure> {
    let sample = &material.sample;
    vec![
        Figure::new("gate", "candidate", f64::from(u8::from(verdict.passed)))
            .with(json!({"checks": verdict.checks, "candidate": names.candidate, "base": names.base})),
        Figure::new("documents", "candidate", evidence.documents as f64)
            .checked(verdict.check("min_documents"))
            .with(json!({"rows": sample.held.len(), "held_out_rows": sample.held_total, "training_rows": sample.train_total})),
        Figure::new("leaked_share", "candidate", sample.leaked_share())
            .with(json!({"rows": sample.leaked.len(), "ngram": config.leakage.ngram, "similarity": config.leakage.similarity, "left_out": true})),
        Figure::of("held_out_loss", "difference", evidence.improvement)
            .checked(verdict.check("min_improvement"))
            .with(json!({"unit": "nats a token", "of": "base less candidate", "documents": by_document(results).into_iter().collect::<BTreeMap<_, _>>()})),
    ]
}

fn losses(statistics: &Statistics, results: &Results, evidence: &Evidence, verdict: &Verdict) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (subject, measured) in results.subjects() {
        let loss = statistics.loss(&measured.documents);
        figures.push(Figure::of("held_out_loss", subject, loss));
        figures.push(Figure::of("perplexity", subject, loss.map(f64::exp)));
        figures.push(Figure::of(
            "bits_per_byte",
            subject,
            statistics.bits(&measured.documents),
        ));
        if !measured.control.is_empty() {
            figures.push(Figure::of(
                "control_bits_per_byte",
                subject,
                statistics.bits(&measured.control),
            ));
        }
    }
    if let Some(worse) = evidence.regression {
        let figure =
            Figure::of("bits_per_byte", "difference", worse).checked(verdict.check("max_regression"));
        figures.push(figure.with(json!({"of": "candidate less production"})));
    }
    let (candidate, base) = (&results.candidate, &results.base);
    let gain = |subject, other: &Measured, of: fn(&Measured) -> &super::statistics::Documents| {
        Figure::of(
            "gain",
            subject,
            statistics.bits_difference(of(other), of(candidate)),
        )
    };
    figures.push(
        gain("author", base, |of| &of.documents).with(json!({"of": "base less candidate, bits a byte"})),
    );
    if !candidate.control.is_empty() {
        figures.push(
            gain("others", base, |of| &of.control).with(json!({"of": "base less candidate, bits a byte"})),
        );
    }
    if let Some(production) = &results.production {
        figures.push(
            gain("production", production, |of| &of.documents)
                .with(json!({"of": "production less candidate, bits a byte"})),
        );
    }
    figures
}

fn memory(material: &Material, results: &Results, verdict: &Verdict) -> Vec<Figure> {
    let mut figures = Vec::new();
    let runs = Runs::of(material.sample.train.iter().map(|row| row.answer.as_str()));
    for (subject, measured) in results.subjects() {
        let check = |name| {
            if subject == "candidate" {
                verdict.check(name)
            } else {
                None
            }
        };
        if !measured.recited.is_empty() {
            let most = measured.recited.iter().copied().fold(0.0, f64::max);
            let evidence = json!({"probes": measured.recited.len(), "most": most, "most_recited": measured.most_recited.as_deref().map(shown)});
            figures.push(
                Figure::new("recited_share", subject, median(&measured.recited))
                    .checked(check("max_recited_share"))
                    .with(evidence),
            );
            figures.push(
                Figure::new(
                    "extracted_share",
                    subject,
                    share(measured.extracted, measured.recited.len()),
                )
                .checked(check("max_extracted_share")),
            );
        }
        if !measured.written.is_empty() {
            figures.push(Figure::new(
                "verbatim_share",
                subject,
                runs.share(&measured.written),
            ));
        }
    }
    figures
}

/// Distances of what each wrote from the author's training text, and the author's own.
struct Styles {
    distances: Vec<(&'static str, f64)>,
    author: Option<super::style::Band>,
    size: f64,
}

fn styles(material: &Material, results: &Results) -> Styles {
    let texts: Vec<&str> = material
        .sample
        .train
        .iter()
        .map(|row| row.answer.as_str())
        .collect();
    let vocabulary = Vocabulary::of(&texts);
    let author = Profile::new(&vocabulary, &texts.join("\n"));
    let profile = |measured: &Measured| Profile::new(&vocabulary, &measured.written.join("\n"));
    let distances = results
        .subjects()
        .filter(|(_, measured)| !measured.written.is_empty())
        .map(|(subject, measured)| (subject, profile(measured).distance(&author)))
        .collect();
    let size = profile(&results.candidate).total();
    Styles {
        distances,
        author: band(&vocabulary, &texts, size).filter(|_| !results.candidate.written.is_empty()),
        size,
    }
}

impl Styles {
    fn distance(&self, subject: &str) -> Option<f64> {
        self.distances
            .iter()
            .find(|(known, _)| *known == subject)
            .map(|(_, distance)| *distance)
    }

    fn figures(&self, results: &Results, verdict: &Verdict) -> Vec<Figure> {
        let mut figures = Vec::new();
        for (subject, distance) in &self.distances {
            let written = results.subjects().find(|(known, _)| known == subject);
            let few: Vec<_> = written
                .map(|(_, measured)| measured.written.iter().take(3).map(|text| shown(text)).collect())
                .unwrap_or_default();
            figures.push(Figure::new("style_distance", subject, *distance).with(json!({"written": few})));
        }
        if let Some(own) = self.author {
            let band = Interval {
                value: own.median,
                low: own.low,
                high: own.high,
            };
            let about = json!({"part_size": self.size, "interval": "5% to 95% of parts", "excess": verdict.check("max_style_excess")});
            figures.push(Figure::of("style_distance", "author", band).with(about));
        }
        figures
    }
}

fn abilities(
    statistics: &Statistics,
    material: &Material,
    results: &Results,
    evidence: &Evidence,
    verdict: &Verdict,
) -> Vec<Figure> {
    let mut figures = Vec::new();
    for (subject, measured) in results
        .subjects()
        .filter(|(_, measured)| !measured.ability.is_empty())
    {
        let right = statistics.mean(measured.ability.iter().map(|right| f64::from(u8::from(*right))));
        figures.push(Figure::of("ability", subject, right).with(json!({"items": measured.ability.len()})));
    }
    if let Some(drop) = evidence.ability_drop {
        figures.push(Figure::new("ability", "chance", chance(&material.items)));
        let figure = Figure::of("ability", "difference", drop).checked(verdict.check("max_ability_drop"));
        figures.push(figure.with(json!({"of": "base less candidate"})));
    }
    figures
}

fn judgements(
    statistics: &Statistics,
    subject: &'static str,
    judged: &Judged,
    verdict: &Verdict,
) -> [Figure; 2] {
    let wins = statistics.mean(judged.verdicts.iter().map(|verdict| verdict.points()));
    let check = if subject == "base" {
        verdict.check("min_judge_wins")
    } else {
        None
    };
    [
        Figure::of("judge_win_rate", subject, wins)
            .checked(check)
            .with(json!({"pairs": judged.verdicts.len(), "unreadable": judged.unreadable, "verdicts": judged.verdicts})),
        Figure::new("judge_agreement", subject, judged.agreement()),
    ]
}

/// The document behind the page.
pub fn document(
    config: &Config,
    material: &Material,
    names: &Names,
    results: &Results,
    findings: &Findings,
    curve: Vec<(f64, f64)>,
    inputs: Vec<(String, String)>,
) -> Report {
    let sample = &material.sample;
    let mut leaked: Vec<String> = sample
        .leaked
        .iter()
        .map(|(row, _)| row.document.clone())
        .collect();
    leaked.dedup();
    let samples = sample
        .held
        .iter()
        .take(results.candidate.written.len())
        .enumerate();
    Report {
        candidate: names.candidate.clone(),
        base: names.base.clone(),
        production: names.production.clone(),
        passed: findings.verdict.passed,
        checks: findings
            .verdict
            .checks
            .iter()
            .map(|check| CheckLine {
                name: check.name.to_owned(),
                value: check.value,
                threshold: check.threshold,
                passed: check.passed,
                why: check.why.clone(),
            })
            .collect(),
        figures: findings.figures.iter().map(line).collect(),
        curve,
        samples: samples
            .map(|(place, row)| SampleLine {
                instruction: row.instruction.clone(),
                author: shown(&row.answer),
                written: results
                    .subjects()
                    .filter_map(|(subject, measured)| {
                        Some((subject.to_owned(), shown(measured.written.get(place)?)))
                    })
                    .collect(),
            })
            .collect(),
        documents: by_document(results)
            .into_iter()
            .map(|(document, by)| (document.to_owned(), by))
            .collect(),
        most_recited: results.candidate.most_recited.as_deref().map(shown),
        leaked,
        rows: Rows {
            held_out: sample.held_total,
            measured: sample.held.len(),
            leaked: sample.leaked.len(),
            training: sample.train_total,
        },
        inputs,
        confidence: config.confidence,
        config: serde_json::to_value(config).unwrap_or(Value::Null),
    }
}

fn line(figure: &Figure) -> FigureLine {
    FigureLine {
        metric: figure.metric.to_owned(),
        subject: figure.subject.to_owned(),
        value: figure.value,
        interval: figure.interval,
        check: figure.check,
        evidence: figure.evidence.clone(),
    }
}

/// The documents that differ most, either way.
fn by_document(results: &Results) -> Vec<(&str, f64)> {
    let mut all: Vec<(&str, f64)> = pairs(&results.candidate.documents, &results.base.documents)
        .map(|(document, a, b)| (document.as_str(), b.loss.mean() - a.loss.mean()))
        .collect();
    all.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(b.0)));
    all.truncate(SHOWN);
    all
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of probes")]
fn share(part: usize, all: usize) -> f64 {
    part as f64 / all.max(1) as f64
}
