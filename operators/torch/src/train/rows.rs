//! Instruct rows, as a stream.

use futures::{Stream, StreamExt, stream};
use twinloom_sdk::{Context, OperatorError};
use twinloom_store::ReadOptions;

use super::documents::texts;
use crate::{ModelError, tokenizer::TextTokenizer};

/// A row of `instruct`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The document that the answer comes from.
    pub document: String,
    /// What is asked.
    pub instruction: String,
    /// The author's own text.
    pub answer: String,
    /// Whether it is held out.
    pub eval: bool,
}

/// All rows of the input `instruct`, in the order of the dataset; rows with an empty answer are left out.
///
/// # Errors
/// `input.missing`, or what the store says.
pub async fn rows(
    context: &Context,
) -> Result<impl Stream<Item = Result<Row, OperatorError>> + Send + Unpin + use<>, OperatorError> {
    let manifest = context.dataset("instruct").await?;
    let columns = Some(
        ["document_id", "instruction", "answer", "split"]
            .map(str::to_owned)
            .to_vec(),
    );
    let batches = context.store().read(
        &manifest,
        ReadOptions {
            columns,
            ..ReadOptions::default()
        },
    );
    Ok(batches
        .map(|batch| {
            let batch = batch.map_err(OperatorError::from);
            let found = match batch.and_then(|batch| pick(&batch)) {
                Ok(found) => found.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            stream::iter(found)
        })
        .flatten()
        .boxed())
}

fn pick(batch: &arrow::array::RecordBatch) -> Result<Vec<Row>, OperatorError> {
    let (documents, instructions) = (texts(batch, "document_id")?, texts(batch, "instruction")?);
    let (answers, splits) = (texts(batch, "answer")?, texts(batch, "split")?);
    let mut found = Vec::new();
    for (((document, instruction), answer), split) in
        documents.iter().zip(instructions).zip(answers).zip(splits)
    {
        let (Some(document), Some(instruction), Some(answer)) = (document, instruction, answer) else {
            continue;
        };
        if answer.trim().is_empty() {
            continue;
        }
        let eval = is_eval("instruct", document, split)?;
        found.push(Row {
            document: document.to_owned(),
            instruction: instruction.to_owned(),
            answer: answer.to_owned(),
            eval,
        });
    }
    Ok(found)
}

/// Whether a row's split says that it is held out.
///
/// # Errors
/// `instruct.split` or `preferences.split` for another word.
pub fn is_eval(dataset: &str, row: &str, split: Option<&str>) -> Result<bool, OperatorError> {
    match split {
        Some("train") => Ok(false),
        Some("eval") => Ok(true),
        other => {
            let row: String = row.chars().take(80).collect();
            Err(OperatorError::data(
                &format!("{dataset}.split"),
                format!("a row of `{row}` has the split {other:?}"),
                "The column `split` is `train` or `eval`.",
            ))
        }
    }
}

/// A row as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// Prompt and answer.
    pub tokens: Vec<u32>,
    /// Tokens of the prompt.
    pub given: usize,
    /// Whether tokens in the middle of the prompt were left out.
    pub prompt_cut: bool,
    /// Whether the answer lost its end, and with it the end of its turn.
    pub answer_cut: bool,
}

/// A row's tokens, at most `context` of them. The prompt gets what the answer leaves, at least half; where it is longer it
/// is cut in its middle, where its instruction is longest. An answer that is too long for the rest is cut at its end.
///
/// # Errors
/// As [`TextTokenizer::encode_turns`]; `model.input` for a token that a model of `vocabulary` embeddings does not have.
pub fn encode(
    tokenizer: &TextTokenizer,
    row: &Row,
    context: usize,
    vocabulary: i64,
) -> Result<Encoded, ModelError> {
    let (mut tokens, answer) = tokenizer.encode_turns(&row.instruction, &row.answer)?;
    tokenizer.check_ids(&tokens, vocabulary)?;
    tokenizer.check_ids(&answer, vocabulary)?;
    let room = (context / 2).max(context.saturating_sub(answer.len())).max(1);
    let prompt_cut = tokens.len() > room;
    if prompt_cut {
        let keep = room / 2;
        tokens.drain(keep..tokens.len() - (room - keep));
    }
    let given = tokens.len();
    tokens.extend(answer);
    let answer_cut = tokens.len() > context;
    tokens.truncate(context);
    Ok(Encoded {
        tokens,
        given,
        prompt_cut,
        answer_cut,
    })
}

/// How much of the rows did not fit the context.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cut {
    /// Rows whose prompt was cut.
    pub prompts: u64,
    /// Answers that were cut: a pair has two.
    pub answers: u64,
}

impl Cut {
    /// Counts a row: its prompt with its answer, or with each of two.
    pub fn count(&mut self, row: &[Encoded]) {
        self.prompts += u64::from(row.iter().any(|one| one.prompt_cut));
        self.answers += row.iter().filter(|one| one.answer_cut).count() as u64;
    }

    /// Reports the counts, and warns where there are any.
    pub fn report(self, context: &Context, length: usize) {
        #[expect(clippy::cast_precision_loss, reason = "rows are far below 2^52")]
        for (name, count) in [("prompts_cut", self.prompts), ("answers_cut", self.answers)] {
            context.metric(name, count as f64, None);
        }
        if self != Self::default() {
            context.warn(format!(
                "{} prompts and {} answers are longer than a context of {length} leaves room for and were cut; a cut answer \
                 does not teach where to end: raise `context`",
                self.prompts, self.answers
            ));
        }
    }
}
