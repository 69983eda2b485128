//! The operator on a store, with planted candidates.

use serde_json::json;
use twinloom_operators::evaluate::report::Report;

use crate::testing::{Bench, documents, figure, instruct};

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
