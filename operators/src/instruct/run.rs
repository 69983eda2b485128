//! The operator: a survey of all documents, then rows of documents to rows of instruct.

use std::sync::Arc;

use arrow::{
    array::{BooleanArray, RecordBatch},
    compute::filter_record_batch,
};
use async_trait::async_trait;
use futures::TryStreamExt;
use serde_json::Value;
use twinloom_sdk::{Context, Done, Operator, OperatorError, OperatorInfo, Outcome, Runs, records};
use twinloom_store::{FeatureStore, ReadOptions};

use super::{Config, Document, pairs, survey::Survey};
use crate::{
    split::Split,
    text::{
        columns::{texts, value},
        rows::{Cell, RowBuilder},
    },
};

/// Documents worked on at a time.
const BATCH: usize = 256;

/// The operator `instruct`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Instruct;

#[async_trait]
impl Operator for Instruct {
    type Config = Config;

    fn info(&self) -> OperatorInfo {
        let needs = [
            "id",
            "category",
            "author",
            "link",
            "title",
            "text",
            "language",
            "published_at",
            "metadata",
        ];
        OperatorInfo {
            name: "instruct",
            version: "2",
            summary: "Makes pairs of instruction and answer from the author's own text, without near-duplicates, split by document or time.",
            inputs: vec![records::dataset_in(
                "documents",
                "Cleaned documents.",
                &records::cleaned_documents(),
                &needs,
            )],
            outputs: vec![
                records::dataset_out(
                    "instruct",
                    "Pairs; every answer is verbatim text of its document.",
                    &records::instruct(),
                ),
                records::dataset_out(
                    "documents",
                    "The documents without near-duplicates: what a base and a tokenizer may learn from.",
                    &records::cleaned_documents(),
                ),
            ],
            open_ports: false,
            runs: Runs::Process,
            cacheable: true,
        }
    }

    async fn run(&self, context: &Context, config: Config) -> Result<Outcome, OperatorError> {
        config.check()?;
        let manifest = context.dataset("documents").await?;
        let survey = Arc::new(Survey::make(context, &config, &manifest).await?);
        if let Some((left_out, kept)) = survey.example() {
            context.info(format!(
                "{} of {} documents are left out as near-duplicates, such as {left_out} of {kept}",
                survey.near_duplicates(),
                survey.documents
            ));
        }
        let mut pairs = context.stage_dataset("instruct", records::instruct(), &["document_id", "sample"])?;
        let schema = FeatureStore::schema_of(&manifest)?;
        let mut kept = match context.output_name("documents") {
            Some(_) => Some(context.stage_dataset("documents", schema, &["id"])?),
            None => None,
        };
        let config = Arc::new(config);
        let options = ReadOptions {
            batch_size: Some(BATCH),
            ..ReadOptions::default()
        };
        let mut batches = context.store().read(&manifest, options);
        let (mut read, mut held_out, mut made) = (0, 0, 0);
        while let Some(rows) = batches.try_next().await? {
            context.check_cancelled()?;
            read += rows.num_rows() as u64;
            let (config, survey) = (Arc::clone(&config), Arc::clone(&survey));
            let (documents, rows, held) =
                tokio::task::spawn_blocking(move || instruct_rows(&config, &survey, &rows)).await??;
            held_out += held;
            made += rows.num_rows();
            pairs.write(rows).await?;
            if let Some(kept) = &mut kept {
                kept.write(documents).await?;
            }
            context.progress(read, Some(manifest.data.rows), "documents");
        }
        let mut done = Done::new()
            .metric("documents", survey.documents)
            .metric("near_duplicates", survey.near_duplicates())
            .metric("held_out_documents", held_out)
            .metric("rows", made)
            .dataset("instruct", pairs.finish().await?);
        if let Some(kept) = kept {
            done = done.dataset("documents", kept.finish().await?);
        }
        Ok(done.into())
    }
}

/// Of a batch the documents that are kept, their pairs, and how many of them are held out.
fn instruct_rows(
    config: &Config,
    survey: &Survey,
    rows: &RecordBatch,
) -> Result<(RecordBatch, RecordBatch, usize), OperatorError> {
    let ids = texts(rows, "id")?;
    let keep: BooleanArray = ids
        .iter()
        .map(|id| Some(id.is_some_and(|id| survey.left_out(id).is_none())))
        .collect();
    let rows = filter_record_batch(rows, &keep)?;
    let (ids, categories, documents) = (
        texts(&rows, "id")?,
        texts(&rows, "category")?,
        texts(&rows, "text")?,
    );
    let (titles, authors, languages) = (
        texts(&rows, "title")?,
        texts(&rows, "author")?,
        texts(&rows, "language")?,
    );
    let (links, metadata) = (texts(&rows, "link")?, texts(&rows, "metadata")?);
    let mut out = RowBuilder::new(records::instruct())?;
    let mut held_out = 0;
    for row in 0..rows.num_rows() {
        let category = categories.value(row);
        if !config.categories.iter().any(|wanted| wanted.as_str() == category) {
            continue;
        }
        let document = Document {
            id: ids.value(row),
            category,
            commit: is_commit(value(links, row), value(metadata, row)),
            title: value(titles, row),
            author: value(authors, row),
            language: value(languages, row).filter(|_| category == "code"),
            text: documents.value(row),
        };
        let side = survey.side(document.title, document.text);
        held_out += usize::from(side == Split::Eval);
        for (sample, pair) in (0..).zip(pairs(&document, config)) {
            out.push([
                document.id.into(),
                Cell::Number(sample),
                category.into(),
                document.author.into(),
                pair.instruction.as_str().into(),
                document.text[pair.answer].into(),
                side.as_str().into(),
            ])?;
        }
    }
    let pairs = out.finish()?;
    Ok((rows, pairs, held_out))
}

/// A post that says of itself that it is a commit message.
fn is_commit(link: Option<&str>, metadata: Option<&str>) -> bool {
    let says = |metadata: &str| {
        let Ok(Value::Object(fields)) = serde_json::from_str(metadata) else {
            return false;
        };
        fields.contains_key("commit") || fields.get("kind").and_then(Value::as_str) == Some("commit")
    };
    metadata.is_some_and(says) || link.is_some_and(|link| link.contains("/commit/"))
}
