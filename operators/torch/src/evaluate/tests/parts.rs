//! Statistics, gate, leakage, memorisation and style, each alone.

use proptest::prelude::*;
use twinloom_operators::evaluate::Gate;

use super::super::{
    bootstrap::{Interval, Part, interval, quantile},
    gate::{Evidence, decide},
    leakage::LeakageCheck,
    memorisation::{longest_common_span, median, recited_share},
    style::{Profile, Vocabulary, band},
};
use crate::train::random::Random;

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
    let items = super::super::ability::items().unwrap();
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
    assert!((super::super::ability::chance(&items) - 0.25).abs() < 1e-12);
    let control = super::super::control::shipped().unwrap();
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
    assert!(super::super::style::band(&english, &["too short"], 100.0).is_none());
    let german =
        "Ich habe es dir doch gesagt, und so ist es auch gekommen: wer nicht fragt, der bekommt nichts.";
    let other = Vocabulary::of(&[german; 12]);
    assert_ne!(other, english, "another language has other function words");
}

#[test]
fn extraction_is_from_the_start_and_runs_are_of_words() {
    use super::super::memorisation::{Runs, is_extracted};
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
