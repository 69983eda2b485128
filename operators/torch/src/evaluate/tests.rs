#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use serde_json::json;
use twinloom_operators::evaluate::{Gate, report::Report};

use super::{
    bootstrap::{Interval, Part, interval, quantile},
    gate::{Evidence, decide},
    leakage::LeakageCheck,
    memorisation::{longest_common_span, median, recited_share},
    style::{Profile, Vocabulary, band},
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
        min_documents: 3,
        max_style_excess: Some(0.1),
        min_judge_wins: Some(0.5),
        ..Gate::default()
    };
    let at = |low: f64, value: f64, high: f64| Interval { value, low, high };
    let good = Evidence {
        documents: 5,
        improvement: at(0.1, 0.2, 0.3),
        recited_share: Some(0.1),
        extracted_share: Some(0.0),
        ability_drop: Some(at(-0.1, 0.05, 0.3)),
        style_excess: Some(0.05),
        judge_wins: Some(0.6),
        ..Evidence::default()
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
        (
            Evidence {
                extracted_share: Some(0.5),
                ..good
            },
            "max_extracted_share",
        ),
        (
            Evidence {
                ability_drop: Some(at(0.2, 0.3, 0.4)),
                ..good
            },
            "max_ability_drop",
        ),
        (
            Evidence {
                style_excess: Some(0.2),
                ..good
            },
            "max_style_excess",
        ),
        (
            Evidence {
                judge_wins: None,
                ..good
            },
            "min_judge_wins",
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
    let shares = |check: &LeakageCheck| {
        check
            .overlaps()
            .iter()
            .map(|found| found.share)
            .collect::<Vec<_>>()
    };
    let mut check = LeakageCheck::new(held.into_iter(), 13, 0.7);
    check.show(
        "t0",
        "Something else entirely, of which no part is held out, however long it may go on and on and on.",
    );
    assert_eq!(shares(&check), [0.0, 0.0, 0.0]);
    check.show(
        "t1",
        &format!("Before it. {}! After it.", TEXT.to_uppercase().replace(' ', ", ")),
    );
    assert_eq!(
        shares(&check),
        [1.0, 0.0, 0.0],
        "case and punctuation do not hide it"
    );
    assert_eq!(check.overlaps()[0].source.as_deref(), Some("t1"));
    check.show("t2", "a short note");
    assert_eq!(shares(&check)[1], 0.0, "three words repeat by chance");
    let mut half = LeakageCheck::new([TEXT].into_iter(), 13, 0.7);
    half.show(
        "t3",
        "one two three four five six seven eight nine ten eleven twelve thirteen fourteen but then otherwise",
    );
    assert!((shares(&half)[0] - 0.5).abs() < 1e-12);
}

#[test]
fn a_near_copy_without_a_long_run_is_leaked_as_well() {
    // Every ninth word is another one, so that no thirteen in a row are the same.
    let words: Vec<String> = (0..400).map(|n| format!("word{}", n * n % 211)).collect();
    let text = words.join(" ");
    let copy: Vec<String> = (0..400)
        .map(|n| {
            if n % 12 == 7 {
                format!("other{n}")
            } else {
                words[n].clone()
            }
        })
        .collect();
    let mut check = LeakageCheck::new([text.as_str()].into_iter(), 13, 0.4);
    check.show("near", &copy.join(" "));
    let found = &check.overlaps()[0];
    assert_eq!(found.share, 0.0);
    assert!(
        found.similarity > 0.4 && found.source.as_deref() == Some("near"),
        "{found:?}"
    );
}

#[test]
fn the_shipped_sets_can_be_read_and_are_of_use() {
    let items = super::ability::items().unwrap();
    assert!(items.len() >= 40);
    for item in &items {
        assert!(
            item.answer < item.choices.len() && item.choices.len() == 4,
            "{item:?}"
        );
        assert!(item.choices.iter().all(|choice| !choice.is_empty()));
    }
    let first = items.iter().filter(|item| item.answer == 0).count();
    assert!(
        (5..items.len() / 2).contains(&first),
        "always the first is no test: {first}"
    );
    assert!((super::ability::chance(&items) - 0.25).abs() < 1e-12);
    let control = super::control::shipped().unwrap();
    assert!(control.len() >= 20 && control.iter().all(|row| row.answer.len() > 150));
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
fn style_tells_writers_apart_and_not_topics() {
    let voice = |topic: &str, n: usize| {
        format!(
            "I think that we should, as I said, look at the {topic} again; and then we will see what it is that they want of the {topic} in {n} days.\n"
        )
    };
    let author: Vec<String> = (0..60)
        .map(|n| voice(["garden", "market", "letter"][n % 3], n))
        .collect();
    let texts: Vec<&str> = author.iter().map(String::as_str).collect();
    let english = Vocabulary::of(&texts);
    let profile = |text: &str| Profile::new(&english, text);
    let own = profile(&author.concat());
    let other = "Results: high. Costs: low! Buy now! Great deals! Best price! Call today! Offer ends soon!\n"
        .repeat(60);
    assert!(own.distance(&own) < 1e-6);
    assert!(own.distance(&profile(&other)) > 0.5);
    assert!((own.distance(&profile("")) - 1.0).abs() < 1e-12);
    let elsewhere: String = (0..60)
        .map(|n| voice(["engine", "signal", "kernel"][n % 3], n))
        .collect();
    assert!(
        own.distance(&profile(&elsewhere)) < 0.05,
        "another topic in the same voice is near"
    );
    let band = band(&english, &texts, 80.0).unwrap();
    assert!(
        band.low <= band.median && band.median <= band.high && band.high < 0.3,
        "{band:?}"
    );
    assert!(super::style::band(&english, &["too short"], 100.0).is_none());
    let german =
        "Ich habe es dir doch gesagt, und so ist es auch gekommen: wer nicht fragt, der bekommt nichts.";
    let other = Vocabulary::of(&[german; 12]);
    assert_ne!(other, english, "another language has other function words");
}

#[test]
fn extraction_is_from_the_start_and_runs_are_of_words() {
    use super::memorisation::{Runs, is_extracted};
    assert!(is_extracted(&[1, 2, 3], &[1, 2, 3, 4]));
    assert!(!is_extracted(&[2, 3], &[1, 2, 3]) && !is_extracted(&[], &[1]));
    let runs = Runs::of(["one two three four five six seven eight nine ten"].into_iter());
    assert!(
        (runs.share(&["One, two, three, four, five, six, seven, eight!".to_owned()]) - 1.0).abs() < 1e-12
    );
    assert_eq!(
        runs.share(&["ten nine eight seven six five four three two one".to_owned()]),
        0.0
    );
    assert_eq!(runs.share(&[]), 0.0);
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
    for port in ["report", "page"] {
        assert_eq!(again.outputs[port], worse.outputs[port], "the {port} repeats");
    }
    let files = bench.rows(&worse.outputs["page"].id).await;
    let column = |name: &str| {
        let column = files[0].column_by_name(name).unwrap().as_any();
        column
            .downcast_ref::<arrow::array::StringArray>()
            .unwrap()
            .clone()
    };
    let of = |file: &str| {
        let at = column("name").iter().position(|name| name == Some(file)).unwrap();
        column("content").value(at).to_owned()
    };
    let report: Report = serde_json::from_str(&of("report.json")).unwrap();
    assert!(!report.passed && report.production.is_some() && report.samples.len() == 2);
    assert_eq!(
        report.samples[0].written.len(),
        3,
        "base, candidate and production side by side"
    );
    for (metric, subject) in [
        ("control_bits_per_byte", "candidate"),
        ("gain", "author"),
        ("gain", "others"),
        ("gain", "production"),
        ("ability", "production"),
        ("extracted_share", "base"),
        ("verbatim_share", "candidate"),
    ] {
        assert!(report.figure(metric, subject).is_some(), "{metric} of {subject}");
    }
    let page = of("report.html");
    assert!(page.contains("Missed a threshold") && page.contains("<svg"));
    if let Some(place) = std::env::var_os("TWINLOOM_TEST_PAGE") {
        std::fs::write(place, &page).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overfitted_candidate_that_recites_does_not_pass() {
    let mut bench = Bench::new().await;
    let (base, rows) = prepared(&mut bench).await;
    // Three texts to learn by heart, in words that the base knows.
    let rows: Vec<_> = rows
        .into_iter()
        .zip(0..)
        .filter(|(row, n)| row.3 || *n < 4)
        .map(|((id, instruction, _, eval), n)| (id, instruction, sentence(n), eval))
        .collect();
    let rows = bench
        .dataset("instruct", &["document_id", "sample"], instruct(&rows))
        .await;
    let config = json!({"method": "lora", "steps": 300, "batch": 3, "rank": 32, "learning_rate": 0.01, "schedule": "constant", "context": 96, "eval_every": 0});
    let reciter = bench
        .run("train", config, &[("instruct", &rows), ("base", &base)])
        .await
        .unwrap();
    let config = json!({"context": 96, "resamples": 200, "memorisation": {"probes": 6, "prompt_tokens": 8, "continuation_tokens": 12}, "style": {"samples": 0}, "gate": {"min_improvement": -100.0}});
    let judged = bench
        .run(
            "evaluate",
            config,
            &[("candidate", &reciter.outputs["model"]), ("instruct", &rows)],
        )
        .await
        .unwrap();
    assert_eq!(judged.metrics["passed"], json!(false), "{:?}", judged.metrics);
    assert!(
        judged.metrics["extracted_share"].as_f64().unwrap() > 0.5,
        "{:?}",
        judged.metrics
    );
    let verdict = judged.metrics["verdict"].as_str().unwrap();
    assert!(verdict.contains("word for word"), "{verdict}");
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
    assert!(
        error.message.contains("of d") && error.message.contains("in copy"),
        "rows and where they stand: {error}"
    );
    assert!(error.hint.contains("near_duplicates"), "{}", error.hint);

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
