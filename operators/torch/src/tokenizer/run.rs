//! The operator `tokenizer`.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
};

use async_trait::async_trait;
use futures::TryStreamExt;
use serde_json::json;
use twinloom_operators::tokenizer::{Config, info};
use twinloom_sdk::{Context, Done, Operator, OperatorError, OperatorInfo, Outcome};

use super::{train_bpe, write_files};
use crate::{
    ModelError,
    train::documents::{Side, documents, held_out},
};

/// Documents on their way to the trainer.
const QUEUE: usize = 64;

/// Longest text that a model with this tokenizer is expected to take; a base model states its own.
const CONTEXT: usize = 1024;

/// Trains a tokenizer.
pub struct TokenizerOperator;

#[async_trait]
impl Operator for TokenizerOperator {
    type Config = Config;

    fn info(&self) -> OperatorInfo {
        info()
    }

    async fn run(&self, context: &Context, config: Config) -> Result<Outcome, OperatorError> {
        config.check()?;
        let held = held_out(context).await?;
        let mut texts = documents(context, &held, config.eval_share, Side::Train).await?;
        let (sender, receiver) = mpsc::sync_channel::<String>(QUEUE);
        let (bytes, count) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let trainer = {
            let (config, bytes, count) = (config.clone(), Arc::clone(&bytes), Arc::clone(&count));
            let texts = receiver.into_iter().inspect(move |text| {
                bytes.fetch_add(text.len() as u64, Ordering::Relaxed);
                count.fetch_add(1, Ordering::Relaxed);
            });
            tokio::task::spawn_blocking(move || train_bpe(texts, &config))
        };
        let (mut left, mut read) = (config.max_megabytes << 20, 0);
        while let Some(document) = texts.try_next().await? {
            context.check_cancelled()?;
            let Some(rest) = left.checked_sub(document.text.len() as u64) else {
                context.warn(format!(
                    "only the first {} MiB of text were read",
                    config.max_megabytes
                ));
                break;
            };
            left = rest;
            // A full queue blocks: not on the thread that reads.
            let sender = sender.clone();
            tokio::task::spawn_blocking(move || sender.send(document.text))
                .await?
                .map_err(|_| trainer_gone())?;
            read += 1;
            context.progress(read, None, "documents");
        }
        drop(sender);
        let tokenizer = trainer.await??;
        let (bytes, count) = (bytes.load(Ordering::Relaxed), count.load(Ordering::Relaxed));
        if bytes == 0 {
            return Err(OperatorError::data(
                "tokenizer.no_text",
                "no document on the training side has any text",
                "Add documents, or lower `eval_share`.",
            ));
        }
        let dir = context.work_dir().join("tokenizer");
        fs::create_dir_all(&dir).map_err(|source| ModelError::Io {
            path: dir.clone(),
            source,
        })?;
        write_files(&tokenizer, &dir, CONTEXT)?;
        let vocabulary = tokenizer.get_vocab_size(true);
        context.info(format!(
            "{vocabulary} tokens from {count} documents ({bytes} bytes)"
        ));
        let metrics = BTreeMap::from([
            ("vocabulary".to_owned(), json!(vocabulary)),
            ("documents".to_owned(), json!(count)),
            ("bytes".to_owned(), json!(bytes)),
        ]);
        let about = json!({"method": "tokenizer", "kind": "byte-level BPE", "vocabulary": vocabulary});
        let card = card(context, vocabulary, count, bytes);
        let mut model = context.stage_model("tokenizer", None, about, card.clone(), metrics)?;
        for name in [
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
        ] {
            model.add_file(name, &dir.join(name)).await?;
        }
        model.add_bytes("README.md", card.into()).await?;
        let staged = model.finish().await?;
        Ok(Done::new()
            .metric("vocabulary", vocabulary)
            .metric("documents", count)
            .metric("bytes", bytes)
            .model("tokenizer", staged)
            .into())
    }
}

fn trainer_gone() -> OperatorError {
    OperatorError::bug(
        "tokenizer.failed",
        "the tokenizer's trainer stopped before it had all texts",
    )
}

fn card(context: &Context, vocabulary: usize, documents: u64, bytes: u64) -> String {
    let inputs: Vec<String> = context
        .input_versions()
        .iter()
        .map(|input| format!("- {} `{}` ({})", input.port, input.id, input.id.hash))
        .collect();
    format!(
        "# Tokenizer\n\nByte-level BPE of {vocabulary} tokens, trained on {documents} documents ({bytes} bytes); held-out \
         documents were left out.\n\n## Made from\n\n{}\n",
        inputs.join("\n")
    )
}
