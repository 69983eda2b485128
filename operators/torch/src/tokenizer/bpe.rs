//! Training of a byte-level BPE.

use std::collections::HashSet;

use tokenizers::{
    AddedToken, Tokenizer,
    decoders::byte_level::ByteLevel as ByteDecoder,
    models::{
        TrainerWrapper,
        bpe::{BPE, BpeTrainer},
    },
    pre_tokenizers::byte_level::ByteLevel,
    processors::template::TemplateProcessing,
};
use twinloom_operators::tokenizer::{Config, SPECIAL_TOKENS};
use twinloom_sdk::OperatorError;

/// Trains on the texts; the order of the texts does not matter. Every byte has a token, so any text can be encoded.
///
/// # Errors
/// `tokenizer.failed`, where the library says so.
pub fn train_bpe<I>(texts: I, config: &Config) -> Result<Tokenizer, OperatorError>
where
    I: Iterator<Item = String> + Send,
{
    let alphabet: HashSet<char> = ByteLevel::alphabet().into_iter().collect();
    let special = SPECIAL_TOKENS
        .iter()
        .map(|token| AddedToken::from(token.text, true))
        .collect();
    let trainer = BpeTrainer::builder()
        .vocab_size(config.vocab_size)
        .min_frequency(config.min_frequency)
        .max_token_length(Some(config.max_token_length))
        .initial_alphabet(alphabet)
        .special_tokens(special)
        .show_progress(false)
        .build();
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteDecoder::new(false, true, true)));
    tokenizer
        .train(&mut TrainerWrapper::BpeTrainer(trainer), texts)
        .map_err(failed)?;
    // A text on its own starts as a document does in pre-training; chat templates write their own start.
    let [_, bos, ..] = SPECIAL_TOKENS;
    let start = TemplateProcessing::builder()
        .try_single(format!("{}:0 $A:0", bos.text))
        .map_err(failed)?
        .special_tokens(vec![(bos.text.to_owned(), bos.id)])
        .build()
        .map_err(failed)?;
    tokenizer.with_post_processor(Some(start));
    Ok(tokenizer)
}

fn failed(error: impl std::fmt::Display) -> OperatorError {
    OperatorError::bug(
        "tokenizer.failed",
        format!("the tokenizer could not be trained: {error}"),
    )
}
