//! From a question to an answer with its passages.

use std::{io::Write as _, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, FixedSizeListArray, Float32Array, Int32Array, Int64Array, RecordBatch, StringArray},
    datatypes::{DataType, Field},
};
use jiff::Timestamp;
use serde_json::{Value, json};
use twinloom_gateway::{
    Embed, Gateway, GatewayConfig, GatewayError, Question, Reranker, Sampling, TorchWorker, locate,
};
use twinloom_sdk::records;
use twinloom_store::{Commit, FeatureStore, Name, Producer, StageDataset, StageModel, StoreLocation};

use super::{golden, model, worker};

const TEXTS: [&str; 5] = [
    "A sourdough loaf rises slowly overnight in a cool kitchen.",
    "The gradient tells the optimizer in which direction the weights should move.",
    "Alpine meadows bloom in early June, when the snow has gone from the slopes.",
    "A write-ahead log lets a database survive a crash.",
    "The violin's bow hair is made from the tail of a horse.",
];
const ASKED: &str = "How does a database outlive a power cut?";

fn commit() -> Commit {
    Commit {
        task_key: None,
        not_before: None,
        now: Timestamp::UNIX_EPOCH,
    }
}

fn chunks(vectors: Vec<Vec<f32>>) -> RecordBatch {
    let dimension = i32::try_from(vectors[0].len()).unwrap();
    let schema = records::embedded_chunks(dimension);
    let vectors = Float32Array::from(vectors.concat());
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let vectors: ArrayRef =
        Arc::new(FixedSizeListArray::try_new(item, dimension, Arc::new(vectors), None).unwrap());
    let column = |field: &Arc<Field>| -> ArrayRef {
        match (field.name().as_str(), field.data_type()) {
            ("vector", _) => Arc::clone(&vectors),
            ("text", _) => Arc::new(StringArray::from(TEXTS.to_vec())),
            (_, DataType::Int32) => Arc::new(Int32Array::from(vec![0; TEXTS.len()])),
            (_, DataType::Int64) => Arc::new(Int64Array::from(vec![0; TEXTS.len()])),
            (name, _) => Arc::new(
                (0..TEXTS.len())
                    .map(|n| Some(format!("{name}{n}")))
                    .collect::<StringArray>(),
            ),
        }
    };
    let columns = schema.fields().iter().map(column).collect();
    RecordBatch::try_new(schema, columns).unwrap()
}

/// The texts, to be embedded by the model of a folder.
fn embed(model: Option<&Path>) -> Embed {
    Embed {
        texts: TEXTS.map(str::to_owned).into(),
        model: model.map(Path::to_owned),
        max_length: model.map(|_| 16),
        ..Embed::default()
    }
}

/// A store with the chunks and a tiny model.
async fn store(home: &Path, vectors: Vec<Vec<f32>>, figures: &[(&str, Value)]) -> FeatureStore {
    let location = StoreLocation::new(format!("file://{}", home.join("store").display()));
    let store = FeatureStore::open(&location).await.unwrap();
    let rows = chunks(vectors);
    let mut writer = store.dataset_writer(StageDataset {
        name: Name::new("embedded_chunks").unwrap(),
        schema: rows.schema(),
        keys: ["document_id", "chunk"].map(str::to_owned).into(),
        producer: Producer::default(),
        inputs: Vec::new(),
    });
    writer.write(rows).await.unwrap();
    for (name, value) in figures {
        writer.set_metric(name, value.clone());
    }
    store
        .commit_dataset(writer.finish().await.unwrap(), commit())
        .await
        .unwrap();
    let (files, mut writer) = (
        model(),
        store.model_writer(StageModel {
            name: Name::new("tiny").unwrap(),
            base: None,
            config: json!({}),
            card: String::new(),
            metrics: Default::default(),
            producer: Producer::default(),
            inputs: Vec::new(),
        }),
    );
    for file in std::fs::read_dir(files.path()).unwrap() {
        let file = file.unwrap();
        writer
            .add_file(&file.file_name().to_string_lossy(), &file.path())
            .await
            .unwrap();
    }
    store
        .commit_model(writer.finish().await.unwrap(), commit())
        .await
        .unwrap();
    store
}

#[tokio::test]
async fn passages_are_found_and_ordered_and_the_answer_comes_in_parts() {
    let Some(program) = worker() else { return };
    let client = TorchWorker::start(&program).unwrap();
    let texts = TEXTS.map(str::to_owned);
    let Ok(embedded) = client.embed(embed(None)).await else {
        let _ = writeln!(
            std::io::stderr(),
            "SKIP: no embedder: run infra/setup/embedder.sh, or set TWINLOOM_EMBEDDER"
        );
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(GatewayConfig {
        home: home.path().to_owned(),
        store: store(home.path(), embedded.vectors, &[]).await,
        torch: Some(program),
    })
    .unwrap();
    let plain = Question {
        text: ASKED.to_owned(),
        model: "tiny".parse().unwrap(),
        chunks: "embedded_chunks".parse().unwrap(),
        collection: "chunks".to_owned(),
        passages: 2,
        reranker: None,
        sampling: Sampling {
            max_new_tokens: 12,
            ..Sampling::default()
        },
        chat_template_kwargs: serde_json::Map::new(),
    };
    // Both find the collection missing; it is made by one at a time.
    let (one, two) = tokio::join!(gateway.answer(&plain), gateway.answer(&plain));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(
        (one.text.as_str(), &one.citations),
        (two.text.as_str(), &two.citations)
    );
    assert_eq!(
        (one.citations.len(), one.citations[0].quote.as_str()),
        (2, TEXTS[3])
    );

    let model = golden("encoders/bert-reranker").to_string_lossy().into_owned();
    let order = client.rerank(&model, ASKED, &texts).await.unwrap();
    let reranked = Question {
        reranker: Some(Reranker { model, candidates: 5 }),
        ..plain.clone()
    };
    let mut parts = String::new();
    let mut part = |text: &str| {
        parts.push_str(text);
        true
    };
    let answer = gateway.answer_in_parts(&reranked, &mut part).await.unwrap();
    let quotes: Vec<_> = answer
        .citations
        .iter()
        .map(|citation| citation.quote.as_str())
        .collect();
    assert_eq!(quotes, [TEXTS[order[0].0], TEXTS[order[1].0]]);
    assert!((answer.citations[0].score - order[0].1).abs() < 1e-4);
    assert_eq!(parts.trim(), answer.text);

    let stopped = gateway.answer_in_parts(&plain, &mut |_| false).await.unwrap();
    assert!(
        stopped.text.len() < one.text.len() && stopped.new_tokens < one.new_tokens,
        "{stopped:?}"
    );
    let traces = std::fs::read_to_string(home.path().join("traces/prompts.jsonl")).unwrap();
    assert_eq!(traces.lines().count(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_model_that_many_ask_for_at_once_is_checked_out_whole() {
    let home = tempfile::tempdir().unwrap();
    let store = store(home.path(), vec![vec![0.0; 4]; TEXTS.len()], &[]).await;
    let cache = home.path().join("cache/models");
    let reference = "tiny".parse().unwrap();
    let ask = async |n: usize| {
        // Not all in one breath: some find the folder half made by others.
        for _ in 0..n {
            tokio::task::yield_now().await;
        }
        let located = locate(&store, &reference, &cache).await?;
        let complete = std::fs::read_dir(model().path())
            .unwrap()
            .all(|file| located.base.join(file.unwrap().file_name()).is_file());
        Ok::<_, GatewayError>((located.base, complete))
    };
    let found = futures::future::join_all((0..8).map(ask)).await;
    for one in found {
        let (base, complete) = one.unwrap();
        assert!(complete, "{}", base.display());
    }
    let left: Vec<_> = std::fs::read_dir(&cache)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 1, "nothing is left beside it: {left:?}");
}

/// A question about the text itself, to chunks that an embedder made.
fn about(text: &str) -> Question {
    Question {
        text: text.to_owned(),
        model: "tiny".parse().unwrap(),
        chunks: "embedded_chunks".parse().unwrap(),
        collection: "chunks".to_owned(),
        passages: 1,
        reranker: None,
        sampling: Sampling::default(),
        chat_template_kwargs: serde_json::Map::default(),
    }
}

#[tokio::test]
async fn a_question_is_embedded_by_what_embedded_the_chunks_and_by_nothing_else() {
    let Some(program) = worker() else { return };
    let client = TorchWorker::start(&program).unwrap();
    // Two embedders of one dimension: only their weights tell them apart.
    let (ours, other) = (golden("encoders/bert-mean"), golden("encoders/roberta-cls"));
    let chunks = client.embed(embed(Some(&ours))).await.unwrap();
    let wrong = client.embed(embed(Some(&other))).await.unwrap();
    assert_eq!(chunks.vectors[0].len(), wrong.vectors[0].len());
    assert_ne!(chunks.identity, wrong.identity);

    let home = tempfile::tempdir().unwrap();
    let figures = |model: &Path| {
        [
            ("made_with", json!(chunks.identity)),
            ("embedder", json!({"model": model, "max_length": 16})),
        ]
    };
    let gateway = |home: &Path, store: FeatureStore| {
        Gateway::start(GatewayConfig {
            home: home.to_owned(),
            store,
            torch: Some(program.clone()),
        })
        .unwrap()
    };
    let right = store(home.path(), chunks.vectors.clone(), &figures(&ours)).await;
    let asked = gateway(home.path(), right);
    for text in TEXTS {
        let found = asked.retrieve(&about(text)).await.unwrap();
        assert_eq!(found[0].quote, text);
        assert!(found[0].score > 0.999, "{found:?}");
    }

    // The collection is open and was verified: its files are not read through again at each question.
    let folder = home.path().join("vectors/chunks");
    let files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| ["vec", "keys", "rows"].iter().any(|own| extension == *own))
        })
        .collect();
    assert!(!files.is_empty());
    files.iter().for_each(|file| std::fs::remove_file(file).unwrap());
    assert_eq!(asked.retrieve(&about(TEXTS[2])).await.unwrap()[0].quote, TEXTS[2]);
    assert!(files.iter().all(|file| !file.exists()));

    // Another model stands where the chunks' one stood.
    let home = tempfile::tempdir().unwrap();
    let wrong = store(home.path(), chunks.vectors.clone(), &figures(&other)).await;
    let error = gateway(home.path(), wrong)
        .retrieve(&about(TEXTS[0]))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "model.input", "{error}");
    assert!(error.to_string().contains("another embedder"), "{error}");
    assert!(error.hint().contains("run the DAG again"), "{}", error.hint());
}
