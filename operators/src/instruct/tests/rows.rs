//! Whole runs of the operator: what is split, left out and kept.

use std::{collections::HashMap, sync::Arc};

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray, new_null_array};
use serde_json::{Value, json};
use twinloom_sdk::{TaskDocument, records};
use twinloom_store::DatasetManifest;

use super::ARTICLE;
use crate::{
    harness::{Home, Wire},
    split::{Split, group_key, split_of},
};

fn documents(rows: &[(&str, &str, &str, &str)]) -> RecordBatch {
    let schema = records::cleaned_documents();
    let column = |of: fn(&(&str, &str, &str, &str)) -> String| -> ArrayRef {
        Arc::new(rows.iter().map(|row| Some(of(row))).collect::<StringArray>())
    };
    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        "id" => column(|row| row.0.to_owned()),
        "category" => column(|row| row.1.to_owned()),
        "title" => column(|row| row.2.to_owned()),
        "text" => column(|row| row.3.to_owned()),
        "platform" => column(|_| "git".to_owned()),
        _ => new_null_array(field.data_type(), rows.len()),
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

fn task(home: &Home, config: Value, manifest: &DatasetManifest) -> TaskDocument {
    home.task("instruct", config)
        .dataset("documents", manifest)
        .output("instruct")
}

/// A text of `n` sentences that no other text has.
fn story(seed: usize, n: usize) -> String {
    let words = [
        "river", "garden", "workshop", "letter", "winter", "window", "harbour", "market",
    ];
    let word = |at: usize| words[(seed * 7 + at * 3 + at / 5) % words.len()];
    (0..n)
        .map(|at| {
            format!(
                "On day {} of {seed} the {} was near the {} again. ",
                at * seed + at,
                word(at),
                word(at + seed)
            )
        })
        .collect()
}

#[tokio::test]
async fn no_held_out_document_is_trained_on_and_titles_stay_together() {
    let home = Home::new().await;
    let texts: Vec<String> = (0..120)
        .map(|n| format!("{} Written as number {n} of the series of texts.", ARTICLE))
        .collect();
    let titles: Vec<String> = (0..120)
        .map(|n| format!("Title {}{}", n / 2, if n % 2 == 0 { "" } else { "!" }))
        .collect();
    let ids: Vec<String> = (0..120).map(|n| format!("d{n:03}")).collect();
    let rows: Vec<_> = (0..120)
        .map(|n| (ids[n].as_str(), "article", titles[n].as_str(), texts[n].as_str()))
        .collect();
    let manifest = home.publish("cleaned_documents", &["id"], documents(&rows)).await;
    let ended = home
        .done(task(
            &home,
            json!({"split": {"share": 0.3}, "near_duplicates": {"remove": false}}),
            &manifest,
        ))
        .await;
    let out = home.rows(&ended.datasets["instruct"]).await;
    let column = |name: &str| out.column_by_name(name).unwrap().as_string::<i32>().clone();
    let (documents, splits, answers) = (column("document_id"), column("split"), column("answer"));
    let mut sides: HashMap<String, String> = HashMap::new();
    for row in 0..out.num_rows() {
        let number: usize = documents.value(row)[1..].parse().unwrap();
        assert!(texts[number].contains(answers.value(row)), "answers are verbatim");
        let side = sides
            .entry(titles[number].replace('!', ""))
            .or_insert_with(|| splits.value(row).to_owned());
        assert_eq!(side, splits.value(row), "one title, one side");
    }
    let eval = sides.values().filter(|side| *side == "eval").count();
    assert!((8..30).contains(&eval), "{eval} of {}", sides.len());
}

#[tokio::test]
async fn the_same_documents_give_the_same_pairs_and_categories_are_chosen() {
    let home = Home::new().await;
    let new = "A post of the new days, and long enough to be an answer of its own.";
    let old =
        "Something else altogether was said in the old days, long enough for an answer, with a word or two.";
    let rows = [
        ("a", "post", "", old),
        ("d", "post", "", new),
        (
            "e",
            "code",
            "x.rs",
            "fn main() { println!(\"a line of code that is long\"); }",
        ),
    ];
    let second = home.publish("cleaned_documents", &["id"], documents(&rows)).await;
    let ended = home.done(task(&home, json!({}), &second)).await;
    let fresh = home
        .done(task(
            &home,
            json!({"min_answer_chars": 40, "per_document": 8}),
            &second,
        ))
        .await;
    assert_eq!(
        ended.datasets["instruct"].version,
        fresh.datasets["instruct"].version
    );
    let only = home
        .done(task(
            &home,
            json!({"categories": ["code"], "split": {"share": 0.0}}),
            &second,
        ))
        .await;
    let rows = home.rows(&only.datasets["instruct"]).await;
    assert!(rows.num_rows() > 0 && rows.column(0).as_string::<i32>().iter().all(|id| id == Some("e")));
}

#[tokio::test]
async fn near_duplicates_go_before_the_split_whatever_their_order() {
    let home = Home::new().await;
    let texts: Vec<String> = (1..=20).map(|seed| story(seed, 30)).collect();
    let ids: Vec<String> = (0..40).map(|n| format!("d{n:02}")).collect();
    // Every other document is a repost under another title, with a line of its own around the text.
    let copies: Vec<String> = texts
        .iter()
        .map(|text| format!("Reposted from my blog.\n\n{text}\nThanks for reading!"))
        .collect();
    let titles: Vec<String> = (0..40).map(|n| format!("Title number {n}")).collect();
    let rows: Vec<_> = (0..40)
        .map(|n| {
            let text = if n < 20 { &texts[n] } else { &copies[n - 20] };
            (ids[n].as_str(), "article", titles[n].as_str(), text.as_str())
        })
        .collect();
    let manifest = home.publish("cleaned_documents", &["id"], documents(&rows)).await;
    let both = task(&home, json!({}), &manifest).output("documents");
    let ended = home.done(both).await;
    assert_eq!(ended.metrics["near_duplicates"], 20, "{}", ended.metrics);
    let kept = home.rows(&ended.datasets["documents"]).await;
    assert_eq!(kept.num_rows(), 20);
    let pairs = home.rows(&ended.datasets["instruct"]).await;
    let used: std::collections::HashSet<_> = pairs.column(0).as_string::<i32>().iter().flatten().collect();
    let whole: std::collections::HashSet<_> = kept.column(0).as_string::<i32>().iter().flatten().collect();
    assert!(used.is_subset(&whole) && used.len() > 15);
    assert!(home.log().contains("20 of 40"), "{}", home.log());

    let backwards: Vec<_> = rows.iter().rev().copied().collect();
    let other = home
        .publish("other_documents", &["id"], documents(&backwards))
        .await;
    let again = home.done(task(&home, json!({}), &other)).await;
    assert_eq!(
        home.rows(&again.datasets["instruct"]).await,
        pairs,
        "the order does not count"
    );

    let all = home
        .done(task(
            &home,
            json!({"near_duplicates": {"remove": false}}),
            &manifest,
        ))
        .await;
    assert_eq!(all.metrics["near_duplicates"], 0);
    assert!(home.rows(&all.datasets["instruct"]).await.num_rows() > pairs.num_rows());
}

#[tokio::test]
async fn by_time_the_newest_are_held_out() {
    let home = Home::new().await;
    let texts: Vec<String> = (1..=10).map(|seed| story(seed, 20)).collect();
    let ids: Vec<String> = (0..10).map(|n| format!("d{n}")).collect();
    let titles: Vec<String> = (0..10).map(|n| format!("Title number {n}")).collect();
    let mut rows: Vec<_> = (0..10)
        .map(|n| (ids[n].as_str(), "article", titles[n].as_str(), texts[n].as_str()))
        .collect();
    // The newest of all is of no use: it is not held out in the place of one that gives pairs.
    rows.push((
        "code",
        "code",
        "x.rs",
        "fn main() { println!(\"long enough to be an answer\"); }",
    ));
    let undated = documents(&rows);
    let by_time = json!({"split": {"by": "time", "share": 0.2}, "categories": ["article"]});
    let manifest = home.publish("undated", &["id"], undated.clone()).await;
    let error = home
        .run(task(&home, by_time.clone(), &manifest))
        .await
        .unwrap_err();
    assert_eq!(error.code, "instruct.no_dates");

    // Day n of document n; the last article has no date.
    let days = (0..=10)
        .map(|n| (n != 9).then_some(n * 86_400_000))
        .collect::<Vec<Option<i64>>>();
    let dates = arrow::array::TimestampMillisecondArray::from(days).with_timezone("UTC");
    let mut columns = undated.columns().to_vec();
    columns[undated.schema().index_of("published_at").unwrap()] = Arc::new(dates);
    let dated = RecordBatch::try_new(undated.schema(), columns).unwrap();
    let manifest = home.publish("dated", &["id"], dated).await;
    let ended = home.done(task(&home, by_time, &manifest)).await;
    let out = home.rows(&ended.datasets["instruct"]).await;
    let column = |name: &str| out.column_by_name(name).unwrap().as_string::<i32>().clone();
    let (documents, splits) = (column("document_id"), column("split"));
    let held: std::collections::BTreeSet<_> = (0..out.num_rows())
        .filter(|row| splits.value(*row) == "eval")
        .map(|row| documents.value(row))
        .collect();
    assert_eq!(held, ["d7", "d8"].into());
    assert_eq!(ended.metrics["held_out_documents"], 2);
}

#[tokio::test]
async fn of_a_few_documents_enough_are_held_out_for_a_gate() {
    let home = Home::new().await;
    let texts: Vec<String> = (1..=12).map(|seed| story(seed, 20)).collect();
    let titles: Vec<String> = (0..12).map(|n| format!("Letter {n}")).collect();
    let ids: Vec<String> = (0..12).map(|n| format!("d{n:02}")).collect();
    let rows = |count: usize, title: Option<&'static str>| {
        let rows: Vec<_> = (0..count)
            .map(|n| {
                let title = title.unwrap_or(titles[n].as_str());
                (ids[n].as_str(), "article", title, texts[n].as_str())
            })
            .collect();
        documents(&rows)
    };
    let by_hash = |count: usize| {
        (0..count)
            .filter(|n| split_of(&group_key(Some(&titles[*n]), ""), 0.1) == Split::Eval)
            .count()
    };
    let (mut few, mut held) = (0, Vec::new());
    for count in 4..=12 {
        few += usize::from(by_hash(count) < 2);
        let name = format!("of_{count}");
        let manifest = home.publish(&name, &["id"], rows(count, None)).await;
        let ended = home.done(task(&home, json!({}), &manifest)).await;
        held.push(ended.metrics["held_out_documents"].as_u64().unwrap());
    }
    assert!(
        few > 0,
        "a tenth of these was always enough: the test shows nothing"
    );
    assert!(held.iter().all(|held| (2..=3).contains(held)), "{held:?}");

    // Two or three cannot give two: one is held out, and the log says at once what comes of it.
    let manifest = home.publish("three", &["id"], rows(3, None)).await;
    let ended = home.done(task(&home, json!({}), &manifest)).await;
    assert_eq!(ended.metrics["held_out_documents"], 1);
    assert!(
        home.log().contains("1 document is held out") && home.log().contains("share: 0.3"),
        "{}",
        home.log()
    );

    // What cannot be split at all fails here and not after the training, unless nothing is to be held out.
    let manifest = home.publish("one", &["id"], rows(1, None)).await;
    assert_eq!(
        by_hash(1),
        0,
        "choose another first title: this one is held out by its hash"
    );
    let error = home.run(task(&home, json!({}), &manifest)).await.unwrap_err();
    assert_eq!(error.code, "instruct.no_held_out");
    let none = json!({"split": {"share": 0.0}});
    let ended = home.done(task(&home, none, &manifest)).await;
    assert_eq!(ended.metrics["held_out_documents"], 0);
    let manifest = home
        .publish("same", &["id"], rows(12, Some("One title for all")))
        .await;
    let error = home.run(task(&home, json!({}), &manifest)).await.unwrap_err();
    assert_eq!(error.code, "instruct.no_held_out", "a title is not torn apart");
}

#[tokio::test]
async fn training_pairs_that_hold_held_out_text_are_left_out() {
    let home = Home::new().await;
    let texts: Vec<String> = (1..=30).map(|seed| story(seed, 30)).collect();
    let ids: Vec<String> = (0..60).map(|n| format!("d{n:02}")).collect();
    let titles: Vec<String> = (0..60).map(|n| format!("Title number {n}")).collect();
    // Every other document has paragraphs of its own, and quotes a third of another one.
    let quoting: Vec<String> = (0..30)
        .map(|n| {
            let quoted: String = texts[n].split_inclusive(". ").take(10).collect();
            format!("{}\n\n{quoted}\n\n{}", story(100 + n, 30), story(200 + n, 30))
        })
        .collect();
    let rows: Vec<_> = (0..60)
        .map(|n| {
            let text = if n < 30 { &texts[n] } else { &quoting[n - 30] };
            (ids[n].as_str(), "article", titles[n].as_str(), text.as_str())
        })
        .collect();
    let manifest = home.publish("cleaned_documents", &["id"], documents(&rows)).await;
    let sides = |out: &RecordBatch| {
        let column = |name: &str| out.column_by_name(name).unwrap().as_string::<i32>().clone();
        let (splits, answers) = (column("split"), column("answer"));
        let side = |wanted: &str| -> Vec<String> {
            (0..out.num_rows())
                .filter(|row| splits.value(*row) == wanted)
                .map(|row| answers.value(row).to_owned())
                .collect()
        };
        (side("train"), side("eval"))
    };
    // Sentences are unlike each other, so that one in common is a quote.
    let held_sentences = |train: &[String], eval: &[String]| {
        let whole = |text: &String| -> Vec<String> {
            text.split_inclusive(". ")
                .filter(|sentence| sentence.starts_with("On day") && sentence.ends_with(". "))
                .map(str::to_owned)
                .collect()
        };
        let held: std::collections::HashSet<String> = eval.iter().flat_map(whole).collect();
        train
            .iter()
            .flat_map(whole)
            .filter(|sentence| held.contains(sentence))
            .count()
    };
    let config = |remove: bool| json!({"split": {"share": 0.3}, "decontaminate": {"remove": remove}, "max_answer_chars": 400});

    let with = home.done(task(&home, config(false), &manifest)).await;
    assert_eq!(with.metrics["contaminated_rows"], 0);
    let (train, eval) = sides(&home.rows(&with.datasets["instruct"]).await);
    assert!(
        held_sentences(&train, &eval) > 20,
        "the split alone lets quotes through"
    );

    let without = home.done(task(&home, config(true), &manifest)).await;
    let (clean, same) = sides(&home.rows(&without.datasets["instruct"]).await);
    assert_eq!(same, eval, "what is held out stays");
    assert!(
        held_sentences(&clean, &same) <= 2,
        "but for a sentence at an answer's edge"
    );
    let left_out = without.metrics["contaminated_rows"].as_u64().unwrap();
    assert_eq!(train.len() - clean.len(), usize::try_from(left_out).unwrap());
    assert!(
        clean.len() * 2 > train.len(),
        "only what quotes goes: {left_out} of {}",
        train.len()
    );
}
