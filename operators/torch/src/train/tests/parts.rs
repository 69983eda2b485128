//! Data preparation, schedule, optimizer.

use std::collections::BTreeSet;

use tch::{Device, Kind, Tensor};
use twinloom_operators::train::Schedule;

use crate::train::{
    AdamW, AdamWConfig, LearningRate,
    order::Order,
    random::Random,
    rows::{Cut, Encoded, Row, encode},
    tokens::{TokenFile, TokenWriter},
};

fn file(sequences: &[(&[u32], usize)]) -> TokenFile {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = TokenWriter::create(&dir.path().join("tokens")).unwrap();
    for (tokens, given) in sequences {
        writer.push(tokens, *given).unwrap();
    }
    writer.finish().unwrap()
}

#[test]
fn sequences_come_back_as_they_were_pushed() {
    let file = file(&[(&[1, 2, 3], 2), (&[9], 1), (&[4, 5], 0), (&[7, 8], 2)]);
    let read: Vec<_> = file
        .sequences()
        .iter()
        .map(|s| (file.read(*s).unwrap(), s.given))
        .collect();
    assert_eq!(
        read,
        [(vec![1, 2, 3], 2), (vec![4, 5], 1)],
        "what has nothing to predict is left out"
    );
    assert_eq!(file.targets(), 2);
}

#[test]
fn blocks_predict_every_token_but_the_first_once() {
    let dir = tempfile::tempdir().unwrap();
    for (total, blocks, targets) in [
        (0_u32, 0, 0),
        (1, 0, 0),
        (3, 1, 2),
        (9, 2, 8),
        (11, 2, 8),
        (5, 1, 4),
    ] {
        let mut writer = TokenWriter::create(&dir.path().join("blocks")).unwrap();
        writer.append(&(0..total).collect::<Vec<_>>()).unwrap();
        let file = writer.finish_blocks(4).unwrap();
        assert_eq!(
            (file.sequences().len(), file.targets()),
            (blocks, targets),
            "{total}"
        );
        let mut expected = 0;
        for sequence in file.sequences() {
            let tokens = file.read(*sequence).unwrap();
            assert_eq!(tokens[0], expected);
            expected = *tokens.last().unwrap();
        }
    }
}

#[test]
fn each_pass_shows_each_sequence_once_in_another_order() {
    let lengths: Vec<Vec<u32>> = (2..200).map(|n| (0..n % 37 + 2).collect()).collect();
    let file = file(
        &lengths
            .iter()
            .map(|tokens| (tokens.as_slice(), 1))
            .collect::<Vec<_>>(),
    );
    let pass = |order: &mut Order| -> Vec<Vec<usize>> { (0..25).map(|_| order.next_batch()).collect() };
    let mut order = Order::new(file.sequences(), 1, 8, 1);
    let (first, second) = (pass(&mut order), pass(&mut order));
    for batches in [&first, &second] {
        let all: BTreeSet<usize> = batches.iter().flatten().copied().collect();
        assert_eq!(
            (all.len(), batches.iter().map(Vec::len).sum::<usize>()),
            (198, 198)
        );
    }
    assert_ne!(first, second);
    assert_eq!(
        first,
        pass(&mut Order::new(file.sequences(), 1, 8, 1)),
        "the seed alone decides"
    );
    let waste = |batch: &Vec<usize>| {
        let lengths: Vec<u32> = batch
            .iter()
            .map(|index| file.sequences()[*index].length)
            .collect();
        lengths
            .iter()
            .map(|length| lengths.iter().max().unwrap() - length)
            .sum::<u32>()
    };
    let padded: u32 = first.iter().map(waste).sum();
    assert!(
        padded < 600,
        "like lengths share a batch: {padded} of some 4000 tokens are padding"
    );
}

#[test]
fn shuffles_and_samples_are_fair_and_repeat() {
    let mut random = Random::new(3, 0);
    let mut counts = [0; 5];
    (0..10_000).for_each(|_| counts[random.below(5)] += 1);
    assert!(
        counts.iter().all(|count| (1850..2150).contains(count)),
        "{counts:?}"
    );
    assert_eq!(Random::new(1, 2).sample(100, 7), Random::new(1, 2).sample(100, 7));
    assert_ne!(Random::new(1, 2).sample(100, 7), Random::new(1, 3).sample(100, 7));
    assert_eq!(Random::new(0, 0).sample(3, 9), [0, 1, 2]);
    assert_eq!(random.below(0), 0);
}

#[test]
fn the_learning_rate_rises_then_follows_its_schedule() {
    let at = |schedule| LearningRate::new(1.0, 100, 0.1, schedule);
    let cosine = at(Schedule::Cosine);
    assert!((cosine.at(0) - 0.1).abs() < 1e-12 && (cosine.at(9) - 1.0).abs() < 1e-12);
    assert!((cosine.at(10) - 1.0).abs() < 1e-12 && (cosine.at(55) - 0.55).abs() < 1e-9);
    assert!(cosine.at(99) < 0.11 && cosine.at(99) > 0.1);
    assert!((at(Schedule::Constant).at(99) - 1.0).abs() < 1e-12);
    assert!((at(Schedule::Linear).at(55) - 0.5).abs() < 1e-12);
    assert!((LearningRate::new(1.0, 5, 0.0, Schedule::Cosine).at(0) - 1.0).abs() < 1e-12);
}

/// Three steps on `sum((w - t)^2)` against the formulas of the paper in plain arithmetic.
#[test]
fn adamw_follows_the_paper() {
    let config = AdamWConfig {
        betas: (0.9, 0.99),
        weight_decay: 0.1,
        ..AdamWConfig::default()
    };
    let target = [1.0_f64, -2.0, 3.0, 0.5];
    let weight = Tensor::zeros([2, 2], (Kind::Double, Device::Cpu)).set_requires_grad(true);
    let wanted = Tensor::from_slice(&target).view([2, 2]);
    let mut optimizer = AdamW::new(vec![weight.shallow_clone()], config).unwrap();
    let (mut w, mut m, mut v) = ([0.0_f64; 4], [0.0_f64; 4], [0.0_f64; 4]);
    for step in 1..=3 {
        (&weight - &wanted).square().sum(Kind::Double).backward();
        let norm = optimizer.step(0.1, 0.5).unwrap().double_value(&[]);
        let grad: Vec<f64> = (0..4).map(|i| 0.5 * 2.0 * (w[i] - target[i])).collect();
        let own_norm = grad.iter().map(|g| g * g).sum::<f64>().sqrt();
        // The norm is summed in fp32.
        assert!((norm - own_norm).abs() < 1e-6, "{norm} {own_norm}");
        for i in 0..4 {
            let g = grad[i] * (1.0 / own_norm).min(1.0);
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.99 * v[i] + 0.01 * g * g;
            let (mean, square) = (
                m[i] / (1.0 - 0.9_f64.powi(step)),
                v[i] / (1.0 - 0.99_f64.powi(step)),
            );
            w[i] = w[i] * (1.0 - 0.1 * 0.1) - 0.1 * mean / (square.sqrt() + 1e-8);
        }
    }
    let found = Vec::<f64>::try_from(weight.detach().view([-1])).unwrap();
    assert!(
        found.iter().zip(w).all(|(a, b)| (a - b).abs() < 1e-6),
        "{found:?} {w:?}"
    );
}

#[test]
fn a_prompt_gets_all_that_its_answer_leaves() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/bytes");
    let tokenizer = crate::tokenizer::TextTokenizer::load(&dir).unwrap();
    // A byte is a token; the plain template puts two line ends after the instruction.
    let encoded = |prompt: usize, answer: usize, context: usize| {
        let row = Row {
            document: String::new(),
            instruction: "p".repeat(prompt - 2),
            answer: "a".repeat(answer),
            eval: false,
        };
        encode(&tokenizer, &row, context, 256).unwrap()
    };
    let parts = |row: &Encoded| {
        (
            row.given,
            row.tokens.len() - row.given,
            row.prompt_cut,
            row.answer_cut,
        )
    };
    assert_eq!(
        parts(&encoded(80, 20, 100)),
        (80, 20, false, false),
        "there is room for all of it"
    );
    assert_eq!(parts(&encoded(90, 20, 100)), (80, 20, true, false));
    assert_eq!(parts(&encoded(90, 70, 100)), (50, 50, true, true));
    assert_eq!(parts(&encoded(10, 95, 100)), (10, 90, false, true));
    let mut cut = Cut::default();
    for row in [encoded(90, 20, 100), encoded(90, 70, 100), encoded(10, 20, 100)] {
        cut.count(&[row]);
    }
    let counts = |cut: &Cut| (cut.prompts, cut.answers);
    assert_eq!(counts(&cut), (2, 1));
    // The two answers of a pair have the same prompt.
    cut.count(&[encoded(90, 70, 100), encoded(90, 70, 100)]);
    assert_eq!(counts(&cut), (3, 3));
}

#[test]
fn a_state_that_does_not_suit_changes_nothing() {
    let config = AdamWConfig {
        weight_decay: 0.1,
        ..AdamWConfig::default()
    };
    let options = (Kind::Float, Device::Cpu);
    let new = |from: f64| {
        // A matrix and a vector: two groups.
        let weights = [
            Tensor::full([2, 2], from, options),
            Tensor::full([3], from, options),
        ];
        AdamW::new(
            weights.map(|weight| weight.set_requires_grad(true)).into(),
            config,
        )
        .unwrap()
    };
    let state = |optimizer: &AdamW| optimizer.state().unwrap();
    let (mut own, other) = (new(1.0), new(2.0));
    let (_, kept) = state(&other);
    let read = |name: &str| {
        kept.iter()
            .find(|(own, _)| own == name)
            .map(|(_, tensor)| tensor.copy())
    };
    for broken in ["1.square", "1.value"] {
        let missing = |name: &str| read(name).filter(|_| name != broken);
        let long = |name: &str| {
            if name == broken {
                Some(Tensor::zeros([9], options))
            } else {
                read(name)
            }
        };
        let other_kind = |name: &str| {
            read(name).map(|t| {
                if name == broken {
                    t.to_kind(Kind::Double)
                } else {
                    t
                }
            })
        };
        assert!(own.restore(7, missing).is_err() && own.restore(7, long).is_err());
        assert!(own.restore(7, other_kind).is_err());
        let (step, now) = state(&own);
        assert_eq!(step, 0);
        for ((_, a), (_, b)) in now.iter().zip(state(&new(1.0)).1) {
            assert_eq!(*a, b);
        }
    }
    own.restore(7, read).unwrap();
    assert_eq!(state(&own).0, 7);
    assert_eq!(state(&own).1[0].1, kept[0].1);
}
