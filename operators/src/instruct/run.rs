//! The operator: a survey of all documents, then rows of documents to rows of instruct.

use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::TryStreamExt;
use twinloom_sdk::{Context, Done, Operator, OperatorError, OperatorInfo, Outcome, Runs, records};
use twinloom_store::{FeatureStore, ReadOptions};

use super::{
    Config,
    decontaminate::HeldOut,
    pairs,
    rows::{BATCH, Columns, kept},
    survey::Survey,
};
use crate::{
    split::{MIN_HELD_OUT, Split},
    text::rows::{Cell, RowBuilder},
};

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
            version: "5",
            summary: "Makes pairs of instruction and answer from the author's own text, without near-duplicates, split by document or time; no training pair holds held-out text.",
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
        let config = Arc::new(config);
        let held = Arc::new(HeldOut::read(context, &config, &survey, &manifest).await?);
        let mut pairs = context.stage_dataset("instruct", records::instruct(), &["document_id", "sample"])?;
        let schema = FeatureStore::schema_of(&manifest)?;
        let mut kept = match context.output_name("documents") {
            Some(_) => Some(context.stage_dataset("documents", schema, &["id"])?),
            None => None,
        };
        let options = ReadOptions {
            batch_size: Some(BATCH),
            ..ReadOptions::default()
        };
        let mut batches = context.store().read(&manifest, options);
        let (mut read, mut held_out, mut made, mut contaminated) = (0, 0, 0, 0);
        while let Some(rows) = batches.try_next().await? {
            context.check_cancelled()?;
            read += rows.num_rows() as u64;
            let (config, survey, held) = (Arc::clone(&config), Arc::clone(&survey), Arc::clone(&held));
            let batch = tokio::task::spawn_blocking(move || make(&config, &survey, &held, &rows)).await??;
            held_out += batch.held_out;
            contaminated += batch.contaminated;
            made += batch.pairs.num_rows();
            pairs.write(batch.pairs).await?;
            if let Some(kept) = &mut kept {
                kept.write(batch.documents).await?;
            }
            context.progress(read, Some(manifest.data.rows), "documents");
        }
        if contaminated > 0 {
            context.info(format!(
                "{contaminated} training pairs are left out, because they hold text of held-out answers"
            ));
        }
        tell_of_few(context, &config, made, held_out)?;
        let mut done = Done::new()
            .metric("documents", survey.documents)
            .metric("near_duplicates", survey.near_duplicates())
            .metric("held_out_documents", held_out)
            .metric("contaminated_rows", contaminated)
            .metric("rows", made)
            .dataset("instruct", pairs.finish().await?);
        if let Some(kept) = kept {
            done = done.dataset("documents", kept.finish().await?);
        }
        Ok(done.into())
    }
}

/// Says at once what would otherwise be found after minutes of training: nothing to measure on, or too little for a gate.
fn tell_of_few(
    context: &Context,
    config: &Config,
    pairs: usize,
    held_out: usize,
) -> Result<(), OperatorError> {
    let fix = "Add documents, or hold more of them out: `split: {share: 0.3}` of `instruct`";
    if pairs == 0 || config.split.share == 0.0 || held_out >= MIN_HELD_OUT {
        return Ok(());
    }
    if held_out == 0 {
        return Err(OperatorError::data(
            "instruct.no_held_out",
            "no document is held out, so nothing would tell whether a training helped",
            format!("{fix}; `share: 0` does without."),
        ));
    }
    context.warn(format!(
        "{held_out} document is held out, and a gate needs {MIN_HELD_OUT} unless its `min_documents` says otherwise: what is trained on this will not be released. {fix}."
    ));
    Ok(())
}

/// What a batch gives.
struct Made {
    documents: RecordBatch,
    pairs: RecordBatch,
    held_out: usize,
    contaminated: usize,
}

/// Of a batch the documents that are kept, and their pairs.
fn make(config: &Config, survey: &Survey, held: &HeldOut, rows: &RecordBatch) -> Result<Made, OperatorError> {
    let documents = kept(survey, rows)?;
    let columns = Columns::of(&documents)?;
    let mut out = RowBuilder::new(records::instruct())?;
    let (mut held_out, mut contaminated) = (0, 0);
    for document in columns.documents(config) {
        let side = survey.side(document.title, document.text);
        let mut has_pairs = false;
        for (sample, pair) in (0..).zip(pairs(&document, config)) {
            let answer = &document.text[pair.answer];
            if side == Split::Train && held.is_in(&pair.instruction, answer) {
                contaminated += 1;
                continue;
            }
            has_pairs = true;
            out.push([
                document.id.into(),
                Cell::Number(sample),
                document.category.into(),
                document.author.into(),
                pair.instruction.as_str().into(),
                answer.into(),
                side.as_str().into(),
            ])?;
        }
        held_out += usize::from(side == Split::Eval && has_pairs);
    }
    let pairs = out.finish()?;
    Ok(Made {
        documents,
        pairs,
        held_out,
        contaminated,
    })
}
