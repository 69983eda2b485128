#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use serde_json::{Value, from_value, json};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{header, method, path},
};

use super::{
    judge::{Judge, Pair, Verdict},
    report::{CheckLine, FigureLine, Report, Rows, SampleLine},
    *,
};
use crate::harness::Home;

#[test]
fn an_empty_configuration_is_the_default() {
    assert_eq!(from_value::<Config>(json!({})).unwrap(), Config::default());
    assert!(Config::default().check().is_ok());
}

#[test]
fn a_threshold_can_be_set_alone() {
    let config: Config = from_value(json!({"gate": {"min_improvement": 0.25}})).unwrap();
    assert_eq!(
        config.gate,
        Gate {
            min_improvement: 0.25,
            ..Gate::default()
        }
    );
    assert!(from_value::<Config>(json!({"gate": {"improvement": 1}})).is_err());
}

#[test]
fn bounds_are_held_and_named() {
    for (config, key) in [
        (json!({"resamples": 1}), "resamples"),
        (json!({"confidence": 1.0}), "confidence"),
        (json!({"leakage": {"ngram": 1}}), "leakage.ngram"),
        (
            json!({"memorisation": {"prompt_tokens": 0}}),
            "memorisation.prompt_tokens",
        ),
    ] {
        let error = from_value::<Config>(config).unwrap().check().unwrap_err();
        assert_eq!(error.code, "evaluate.config");
        assert!(error.message.contains(key), "{error}");
    }
}

fn judge_config(server: &MockServer) -> JudgeConfig {
    from_value(json!({"url": format!("{}/v1", server.uri()), "model": "wise", "key": "secret:JUDGE", "allow_private": true, "seconds": 5})).unwrap()
}

fn pair(ours: &str, other: &str) -> Pair {
    Pair {
        instruction: "Write a letter".to_owned(),
        author: "As I said, I shall come.".to_owned(),
        ours: ours.to_owned(),
        other: other.to_owned(),
    }
}

/// The text between the marks of A, and of B.
fn shown(request: &Request) -> (String, String) {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    let question = body["messages"][1]["content"].as_str().unwrap().to_owned();
    let between = |mark: &str| {
        let start = question.find(&format!("<{mark}>\n")).unwrap() + mark.len() + 3;
        question[start..].split("\n</").next().unwrap().to_owned()
    };
    (between("A"), between("B"))
}

fn says(answer: &str) -> ResponseTemplate {
    ResponseTemplate::new(200)
        .set_body_json(json!({"choices": [{"message": {"role": "assistant", "content": answer}}]}))
}

/// A context as operators get it.
async fn context(home: &Home) -> twinloom_sdk::Context {
    let task = Arc::new(home.task("evaluate", json!({})));
    let reporter = twinloom_sdk::Reporter::new(|_| {});
    twinloom_sdk::Context::new(task, home.store.clone(), reporter, home.cancelled.clone(), "2")
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "secrets come from the environment")]
async fn a_judge_is_asked_in_both_orders_and_believed_where_they_agree() {
    // SAFETY: no other test reads or writes this variable.
    unsafe { std::env::set_var("TWINLOOM_SECRET_JUDGE", "hunter2") };
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/chat/completions"))
        .and(header("authorization", "Bearer hunter2"))
        .respond_with(|request: &Request| {
            let (a, b) = shown(request);
            match (a.as_str(), b.as_str()) {
                // Leans to the first whatever it says.
                (a, b) if a.contains("same") && b.contains("same") => says("A"),
                (a, _) if a.contains("mine") => says("I think that A is nearer. Answer: A"),
                (_, b) if b.contains("mine") => says("**B**"),
                (a, _) if a.contains("odd") => says("Hard to say!"),
                _ => says("tie"),
            }
        })
        .mount(&server)
        .await;
    let home = Home::new().await;
    let context = context(&home).await;
    let judge = Judge::open(&context, &judge_config(&server)).await.unwrap();
    let pairs = [
        pair("mine", "x"),
        pair("x", "mine"),
        pair("same 1", "same 2"),
        pair("x", "y"),
        pair("odd", "y"),
    ];
    let judged = judge.compare(&context, &pairs).await.unwrap();
    assert_eq!(
        judged.verdicts,
        [
            Verdict::Win,
            Verdict::Loss,
            Verdict::Tie,
            Verdict::Tie,
            Verdict::Tie
        ]
    );
    assert_eq!(
        (judged.agreed, judged.unreadable),
        (4, 1),
        "the leaning one contradicts itself"
    );
    assert!((judged.win_rate() - 0.5).abs() < 1e-12 && (judged.agreement() - 0.8).abs() < 1e-12);
    assert_eq!(server.received_requests().await.unwrap().len(), 10);
}

#[tokio::test]
async fn judges_that_are_busy_refuse_or_stand_in_private_networks() {
    let server = MockServer::start().await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(2)
        .mount(&server)
        .await;
    Mock::given(path("/v1/chat/completions"))
        .respond_with(says("A"))
        .mount(&server)
        .await;
    let home = Home::new().await;
    let context = context(&home).await;
    let config = JudgeConfig {
        key: None,
        ..judge_config(&server)
    };
    let judge = Judge::open(&context, &config).await.unwrap();
    let judged = judge.compare(&context, &[pair("x", "y")]).await.unwrap();
    assert_eq!(judged.verdicts, [Verdict::Tie]);

    let refusing = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(401))
        .mount(&refusing)
        .await;
    let config = JudgeConfig {
        key: None,
        ..judge_config(&refusing)
    };
    let judge = Judge::open(&context, &config).await.unwrap();
    let error = judge.compare(&context, &[pair("x", "y")]).await.unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.kind),
        ("evaluate.judge_refused", twinloom_sdk::ErrorKind::Config)
    );

    for (change, code) in [
        (json!({"allow_private": false}), "evaluate.judge_address"),
        (json!({"url": "ftp://example.org"}), "evaluate.judge_address"),
        (
            json!({"url": "http://user:word@example.org/v1"}),
            "evaluate.judge_address",
        ),
        (json!({"key": "sk-in-the-open"}), "evaluate.judge_key"),
        (json!({"key": "secret:../sk-in-the-open"}), "evaluate.judge_key"),
        (json!({"key": "secret:NOBODY_SET_THIS"}), "secret.missing"),
    ] {
        let mut changed = serde_json::to_value(&config).unwrap();
        changed
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        let error = Judge::open(&context, &from_value(changed).unwrap())
            .await
            .err()
            .unwrap();
        assert_eq!(error.code, code, "{error}");
        assert!(!format!("{error:?}").contains("sk-in-the-open"));
    }
}

/// A report with something in every section.
pub(crate) fn sample_report() -> Report {
    let figure = |metric: &str, subject: &str, value: f64, interval: Option<(f64, f64)>| FigureLine {
        metric: metric.to_owned(),
        subject: subject.to_owned(),
        value,
        interval,
        check: None,
        evidence: Some(json!({"items": 48})),
    };
    let around = |value: f64, by: f64| Some((value - by, value + by));
    Report {
        candidate: "twin@4".to_owned(),
        base: "nano@2".to_owned(),
        production: Some("twin@3".to_owned()),
        passed: false,
        checks: vec![
            CheckLine { name: "min_improvement".into(), value: 0.41, threshold: 0.0, passed: true, why: "held-out loss is better than the base's by 0.4100 (0.3500 to 0.4800) nats a token; the lower end must be above 0".into() },
            CheckLine { name: "max_recited_share".into(), value: 0.72, threshold: 0.5, passed: false, why: "72% of a continuation stands in the training text (median); 50% may".into() },
        ],
        figures: vec![
            figure("bits_per_byte", "candidate", 1.92, around(1.92, 0.08)),
            figure("bits_per_byte", "base", 2.45, around(2.45, 0.09)),
            figure("bits_per_byte", "production", 2.01, around(2.01, 0.08)),
            figure("control_bits_per_byte", "candidate", 2.81, around(2.81, 0.12)),
            figure("control_bits_per_byte", "base", 2.79, around(2.79, 0.12)),
            figure("gain", "author", 0.53, around(0.53, 0.06)),
            figure("gain", "others", -0.02, around(-0.02, 0.05)),
            figure("gain", "production", 0.09, around(0.09, 0.04)),
            figure("style_distance", "candidate", 0.21, None),
            figure("style_distance", "base", 0.33, None),
            figure("style_distance", "author", 0.18, Some((0.14, 0.22))),
            figure("recited_share", "candidate", 0.72, None),
            figure("recited_share", "base", 0.11, None),
            figure("extracted_share", "candidate", 0.125, None),
            figure("verbatim_share", "candidate", 0.04, None),
            figure("ability", "candidate", 0.58, around(0.58, 0.13)),
            figure("ability", "base", 0.6, around(0.6, 0.13)),
            figure("ability", "chance", 0.41, None),
            figure("judge_win_rate", "base", 0.81, around(0.81, 0.15)),
            figure("judge_agreement", "base", 0.9, None),
        ],
        curve: vec![(0.0, 4.1), (50.0, 3.6), (100.0, 3.4), (150.0, 3.35), (160.0, 3.34)],
        samples: vec![SampleLine {
            instruction: "Write the post about <script>alert(1)</script> & \"quotes\"".to_owned(),
            author: "I said so before, and I say it again: versions first.".to_owned(),
            written: vec![
                ("base".to_owned(), "The the of data\nin a of".to_owned()),
                ("candidate".to_owned(), "Versions come first; the rest follows from them.".to_owned()),
                ("production".to_owned(), "I think versions.".to_owned()),
            ],
        }],
        documents: vec![("posts/12".to_owned(), 0.81), ("articles/3".to_owned(), -0.12)],
        most_recited: Some("and so the pipeline was born".to_owned()),
        leaked: vec!["posts/7".to_owned()],
        rows: Rows { held_out: 61, measured: 60, leaked: 1, training: 540 },
        inputs: vec![("candidate".to_owned(), "twin@4".to_owned()), ("instruct".to_owned(), "instruct@9".to_owned())],
        confidence: 0.95,
        config: json!({"gate": {"min_improvement": 0.0}}),
    }
}

#[test]
fn the_page_shows_everything_and_runs_nothing() {
    let report = sample_report();
    let page = page(&report);
    for expected in [
        "twin@4",
        "nano@2",
        "twin@3",
        "Missed a threshold",
        "max_recited_share",
        "<svg",
        "class=\"interval\"",
        "prefers-color-scheme:dark",
        "Versions come first",
        "instruct@9",
        "As a table",
        "posts/7",
        "aria-label",
        "The continuation that recites most",
        "Content-Security-Policy",
    ] {
        assert!(page.contains(expected), "{expected} is not on the page");
    }
    assert!(
        !page.contains("<script") && page.contains("&lt;script&gt;"),
        "texts are shown, not run"
    );
    assert!(
        !page.contains("http://") && !page.contains("https://") && !page.contains("NaN"),
        "it needs nothing else"
    );
    let open =
        |tag: &str| page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count();
    for tag in [
        "section", "table", "svg", "figure", "details", "div", "tr", "main",
    ] {
        assert_eq!(open(tag), page.matches(&format!("</{tag}>")).count(), "{tag}");
    }
    if let Some(place) = std::env::var_os("TWINLOOM_TEST_PAGE") {
        std::fs::write(place, &page).unwrap();
    }
    let passed = Report {
        passed: true,
        production: None,
        ..Report::default()
    };
    assert!(
        super::page(&passed).contains("Passed every threshold"),
        "an empty report has a page as well"
    );
    let again: Report = from_value(serde_json::to_value(&report).unwrap()).unwrap();
    assert_eq!(again, report);
}
