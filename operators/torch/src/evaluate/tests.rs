#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use serde_json::json;
use twinloom_operators::evaluate::Gate;

use super::{
    bootstrap::{Interval, Part, interval, quantile},
    gate::{Evidence, decide},
    leakage::LeakageCheck,
    memorisation::{longest_common_span, median, recited_share},
    style::{Profile, band},
};
use crate::{
    testing::{Bench, documents, figure, instruct},
    train::random::Random,
};

fn uniform(random: &mut Random) -> f64 {
    (random.bits() >> 11) as f64 / (1_u64 << 53) as f64
}

/// About normal: twelve uniforms.
fn noise(random: &mut Random) -> f64 {
    (0..12).map(|_| uniform(random)).sum::<f64>() - 6.0
}

#[test]
fn intervals_cover_the_truth_about_as_often_as_they_say() {
    let mut random = Random::new(5, 0);
    let covered = (0..200)
        .filter(|seed| {
            let parts: Vec<Part> = (0..40)
                .map(|_| {
                    let weight = 50.0 + 100.0 * uniform(&mut random);
                    Part {
                        sum: weight * (0.3 + noise(&mut random)),
                        weight,
                    }
                })
                .collect();
            let found = interval(&parts, 400, 0.95, *seed);
            found.low <= 0.3 && 0.3 <= found.high
        })
        .count();
    assert!((180..=199).contains(&covered), "{covered} of 200");
}

#[test]
fn intervals_repeat_narrow_with_documents_and_have_no_width_without_chance() {
    let parts = |n: usize| -> Vec<Part> {
        let mut random = Random::new(1, 1);
        (0..n)
            .map(|_| Part {
                sum: noise(&mut random),
                weight: 1.0,
            })
            .collect()
    };
    let width = |found: Interval| found.high - found.low;
    let (few, many) = (
        interval(&parts(10), 500, 0.95, 0),
        interval(&parts(1000), 500, 0.95, 0),
    );
    assert!(width(many) < 0.3 * width(few));
    assert_eq!(few, interval(&parts(10), 500, 0.95, 0));
    let same = interval(
        &[Part {
            sum: 2.0,
            weight: 4.0,
        }; 7],
        100,
        0.95,
        0,
    );
    assert_eq!(
        same,
        Interval {
            value: 0.5,
            low: 0.5,
            high: 0.5
        }
    );
    assert_eq!(interval(&[], 100, 0.95, 0), Interval::default());
    assert!((quantile(&[0.0, 1.0, 2.0, 3.0], 0.5) - 1.5).abs() < 1e-12);
}

#[test]
fn the_gate_decides_planted_cases() {
    let gate = Gate {
        min_improvement: 0.01,
        max_regression: 0.05,
        max_recited_share: 0.5,
        min_documents: 3,
        ..Gate::default()
    };
    let at = |low: f64, value: f64, high: f64| Interval { value, low, high };
    let good = Evidence {
        documents: 5,
        improvement: at(0.1, 0.2, 0.3),
        regression: None,
        recited_share: Some(0.1),
    };
    assert!(decide(&gate, &good).passed);
    for (evidence, failed) in [
        (
            Evidence {
                improvement: at(-0.1, 0.2, 0.5),
                ..good
            },
            "min_improvement",
        ),
        (
            Evidence {
                improvement: at(0.0, 0.0, 0.0),
                ..good
            },
            "min_improvement",
        ),
        (Evidence { documents: 2, ..good }, "min_documents"),
        (
            Evidence {
                recited_share: Some(0.9),
                ..good
            },
            "max_recited_share",
        ),
        (
            Evidence {
                regression: Some(at(0.01, 0.1, 0.2)),
                ..good
            },
            "max_regression",
        ),
    ] {
        let verdict = decide(&gate, &evidence);
        assert!(!verdict.passed);
        let names: Vec<_> = verdict
            .checks
            .iter()
            .filter(|check| !check.passed)
            .map(|check| check.name)
            .collect();
        assert_eq!(names, [failed]);
    }
    assert!(
        decide(
            &gate,
            &Evidence {
                regression: Some(at(-0.2, -0.1, 0.0)),
                ..good
            }
        )
        .passed
    );
}

const TEXT: &str =
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen";

#[test]
fn leaked_text_is_found_and_other_text_is_not() {
    let held = [
        TEXT,
        "a short note",
        "Another text of more than thirteen words that nobody has ever seen in the training rows before today",
    ];
    let mut check = LeakageCheck::new(held.into_iter(), 13);
    check.show(
        "Something else entirely, of which no part is held out, however long it may go on and on and on.",
    );
    assert_eq!(check.overlaps(), [0.0, 0.0, 0.0]);
    check.show(&format!(
        "Before it. {}! After it.",
        TEXT.to_uppercase().replace(' ', ", ")
    ));
    assert_eq!(
        check.overlaps(),
        [1.0, 0.0, 0.0],
        "case and punctuation do not hide it"
    );
    check.show("a short note");
    assert_eq!(check.overlaps()[1], 0.0, "three words repeat by chance");
    let mut half = LeakageCheck::new([TEXT].into_iter(), 13);
    half.show(
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen but then otherwise",
    );
    assert!((half.overlaps()[0] - 0.5).abs() < 1e-12);
}

proptest! {
    #[test]
    fn the_longest_common_span_is_that_of_trying_all(a in prop::collection::vec(0_u32..4, 0..12), b in prop::collection::vec(0_u32..4, 0..12)) {
        let spans = |s: &[u32]| -> Vec<Vec<u32>> {
            (0..s.len()).flat_map(|from| (from + 1..=s.len()).map(move |to| (from, to))).map(|(from, to)| s[from..to].to_vec()).collect()
        };
        let others = spans(&b);
        let expected = spans(&a).into_iter().filter(|span| others.contains(span)).map(|span| span.len()).max().unwrap_or(0);
        assert_eq!(longest_common_span(&a, &b), expected);
    }
}

#[test]
fn recitation_is_a_share() {
    assert!((recited_share(&[1, 2, 3, 4], &[9, 2, 3, 9]) - 0.5).abs() < 1e-12);
    assert!((recited_share(&[1, 2], &[1, 2, 3]) - 1.0).abs() < 1e-12);
    assert_eq!(recited_share(&[], &[1]), 0.0);
    assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
    assert_eq!(median(&[]), 0.0);
}

#[test]
fn style_tells_writers_apart_and_knows_the_author() {
    let author = "I think that we should, as I said, look at it again; and then we will see what it is that they want.\n".repeat(60);
    let other = "Results: high. Costs: low! Buy now! Great deals! Best price! Call today! Offer ends soon!\n"
        .repeat(60);
    let own = Profile::new(&author);
    assert!(own.distance(&own) < 1e-6);
    assert!(own.distance(&Profile::new(&other)) > 0.5);
    assert!((own.distance(&Profile::new("")) - 1.0).abs() < 1e-12);
    let texts: Vec<&str> = author.split_inclusive("\n").collect();
    let band = band(&texts, 80.0).unwrap();
    assert!(
        band.low <= band.median && band.median <= band.high && band.high < 0.3,
        "{band:?}"
    );
    assert!(super::style::band(&["too short"], 100.0).is_none());
}

fn sentence(n: usize) -> String {
    let (a, b) = (
        ["river", "garden", "workshop", "map"][n % 4],
        ["slowly", "again", "at night"][n % 3],
    );
    format!(
        "Note {n}: the {a} of {} came back {b}, and I said so in a letter of {} pages to {}.",
        n * 13,
        n % 11,
        n * 7
    )
}

/// A base that knows the words, and rows in capitals, which it does not know.
async fn prepared(bench: &mut Bench) -> (twinloom_sdk::ArtifactId, Vec<(String, String, String, bool)>) {
    let texts: Vec<_> = (0..60)
        .map(|n| (format!("d{n}"), Some(format!("Note {n}")), sentence(n)))
        .collect();
    let input = bench
        .dataset("cleaned_documents", &["id"], documents(&texts))
        .await;
    let tokenizer = bench
        .run("tokenizer", json!({"vocab_size": 512}), &[("documents", &input)])
        .await
        .unwrap();
    let inputs = [
        ("documents", &input),
        ("tokenizer", &tokenizer.outputs["tokenizer"]),
    ];
    let config = json!({"method": "pretrain", "size": "tiny", "context": 32, "batch": 8, "steps": 30, "learning_rate": 0.01, "eval_every": 0});
    let base = bench.run("train", config, &inputs).await.unwrap();
    let rows = (0..60)
        .map(|n| {
            (
                format!("d{n}"),
                format!("Write note {n}"),
                sentence(n).to_uppercase(),
                n % 5 == 0,
            )
        })
        .collect();
    (base.outputs["model"].clone(), rows)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_better_candidate_passes_and_an_untrained_one_does_not() {
    let mut bench = Bench::new().await;
    let (base, rows) = prepared(&mut bench).await;
    let rows = bench
        .dataset("instruct", &["document_id", "sample"], instruct(&rows))
        .await;
    let train = |steps: u64, rate: f64| json!({"method": "lora", "steps": steps, "batch": 8, "rank": 4, "learning_rate": rate, "context": 96, "eval_every": 0});
    let inputs = [("instruct", &rows), ("base", &base)];
    let better = bench
        .run("train", train(40, 0.01), &inputs)
        .await
        .unwrap()
        .outputs["model"]
        .clone();
    let copy = bench.run("train", train(1, 0.0), &inputs).await.unwrap().outputs["model"].clone();
    let config = json!({"context": 96, "resamples": 200, "memorisation": {"probes": 2, "prompt_tokens": 8, "continuation_tokens": 8}, "style": {"samples": 2, "tokens": 8}});

    let good = bench
        .run(
            "evaluate",
            config.clone(),
            &[("candidate", &better), ("instruct", &rows)],
        )
        .await
        .unwrap();
    assert_eq!(good.metrics["passed"], json!(true), "{:?}", good.metrics);
    let number = |name: &str| good.metrics[name].as_f64().unwrap();
    assert!(number("eval_loss") < number("base_loss") && number("improvement_low") > 0.0);
    assert!(
        (number("base_loss") - number("eval_loss") - number("improvement")).abs() < 1e-6,
        "pairs add up"
    );
    let report = bench.rows(&good.outputs["report"].id).await;
    assert_eq!(figure(&report, "gate", "candidate"), Some(1.0));
    assert!((figure(&report, "held_out_loss", "candidate").unwrap() - number("eval_loss")).abs() < 1e-9);
    assert!((figure(&report, "perplexity", "base").unwrap() - number("base_loss").exp()).abs() < 1e-6);
    assert!(
        figure(&report, "recited_share", "candidate").is_some()
            && figure(&report, "style_distance", "candidate").is_some()
    );

    let bad = bench
        .run(
            "evaluate",
            config.clone(),
            &[("candidate", &copy), ("instruct", &rows)],
        )
        .await
        .unwrap();
    assert_eq!(
        bad.metrics["passed"],
        json!(false),
        "a copy of the base is no improvement"
    );
    assert!(bad.metrics["improvement"].as_f64().unwrap().abs() < 1e-9);

    let against = [("candidate", &copy), ("production", &better), ("instruct", &rows)];
    let worse = bench.run("evaluate", config.clone(), &against).await.unwrap();
    assert!(worse.metrics["regression"].as_f64().unwrap() > 0.1);
    assert!(
        worse.metrics["verdict"]
            .as_str()
            .unwrap()
            .contains("against production")
    );
    let again = bench.run("evaluate", config, &against).await.unwrap();
    assert_eq!(
        again.outputs["report"], worse.outputs["report"],
        "the report repeats"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn leaked_splits_and_missing_sides_are_refused() {
    let mut bench = Bench::new().await;
    let (base, mut rows) = prepared(&mut bench).await;
    for n in (0..60).step_by(5) {
        rows.push((format!("copy{n}"), "Write".to_owned(), sentence(n), false));
    }
    let leaked = bench
        .dataset("leaked", &["document_id", "sample"], instruct(&rows))
        .await;
    let error = bench
        .run(
            "evaluate",
            json!({}),
            &[("candidate", &base), ("instruct", &leaked)],
        )
        .await
        .unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.kind),
        ("evaluate.leakage", twinloom_sdk::ErrorKind::Data)
    );
    assert!(error.message.contains("12 of 12"), "{error}");

    rows.retain(|row| !row.3);
    let one_side = bench
        .dataset("one", &["document_id", "sample"], instruct(&rows))
        .await;
    let error = bench
        .run(
            "evaluate",
            json!({}),
            &[("candidate", &base), ("instruct", &one_side)],
        )
        .await
        .unwrap_err();
    assert_eq!(error.code, "evaluate.no_held_out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_model_needs_something_to_be_compared_with() {
    let mut bench = Bench::new().await;
    let (base, rows) = prepared(&mut bench).await;
    let rows = bench
        .dataset("instruct", &["document_id", "sample"], instruct(&rows))
        .await;
    let error = bench
        .run(
            "evaluate",
            json!({}),
            &[("candidate", &base), ("instruct", &rows)],
        )
        .await
        .unwrap_err();
    assert_eq!(error.code, "evaluate.no_base");
}
