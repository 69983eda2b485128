//! A llama2.c tokenizer file, and the tokenizer.json that does the same.

use std::{collections::HashMap, path::Path};

use serde_json::{Value, json};

use crate::ModelError;

/// Ids below this are unknown, start and end of text, and the 256 bytes.
const FIRST_PIECE: usize = 259;
/// Merges tried in all; a hostile file of long pieces ends here.
const MOST_MERGES: usize = 4_000_000;

/// Pieces of text by id, spaces written as `▁`, with the score that merging goes by.
pub struct Pieces(Vec<(String, f32)>);

impl Pieces {
    pub fn read(path: &Path, bytes: &[u8], vocabulary: i64) -> Result<Self, ModelError> {
        let damaged = |why: String| ModelError::Damaged {
            path: path.to_owned(),
            why,
        };
        let word = |at: usize| {
            bytes
                .get(at..at + 4)
                .and_then(|word| <[u8; 4]>::try_from(word).ok())
        };
        let mut at = 4;
        let mut pieces = Vec::new();
        for id in 0..vocabulary {
            let ends = || damaged(format!("it ends before its piece {id} of {vocabulary}"));
            let score = f32::from_le_bytes(word(at).ok_or_else(ends)?);
            let length = u32::from_le_bytes(word(at + 4).ok_or_else(ends)?) as usize;
            let text = bytes
                .get(at + 8..)
                .and_then(|rest| rest.get(..length))
                .ok_or_else(ends)?;
            let text =
                std::str::from_utf8(text).map_err(|error| damaged(format!("its piece {id}: {error}")))?;
            pieces.push((text.trim_matches('\n').replace(' ', "▁"), score));
            at += 8 + length;
        }
        // The newline itself is a byte, so that only the special tokens lose something to trimming.
        if pieces.len() < FIRST_PIECE {
            return Err(damaged(format!(
                "it has {} pieces, at least {FIRST_PIECE} are needed",
                pieces.len()
            )));
        }
        for (piece, name) in pieces.iter_mut().zip(["<unk>", "<s>", "</s>"]) {
            name.clone_into(&mut piece.0);
        }
        Ok(Self(pieces))
    }

    /// Byte-pair encoding with a fallback to bytes, a space before the text, as llama2.c has it.
    pub fn tokenizer(&self) -> Value {
        let vocabulary: serde_json::Map<String, Value> = self
            .0
            .iter()
            .enumerate()
            .map(|(id, (text, _))| (text.clone(), json!(id)))
            .collect();
        let special = |id: usize, text: &str| {
            json!({"id": id, "content": text, "single_word": false, "lstrip": false, "rstrip": false,
                "normalized": false, "special": true})
        };
        json!({
            "version": "1.0", "truncation": null, "padding": null,
            "added_tokens": [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")],
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ]},
            "pre_tokenizer": null, "post_processor": null,
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"}, {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ]},
            "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
                "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
                "vocab": vocabulary, "merges": self.merges()},
        })
    }

    /// Every way to put a piece together from two others, the best score first.
    fn merges(&self) -> Vec<[&str; 2]> {
        let known: HashMap<&str, f32> = self
            .0
            .iter()
            .skip(FIRST_PIECE)
            .map(|(text, score)| (text.as_str(), *score))
            .collect();
        let mut merges = Vec::new();
        for (text, score) in self.0.iter().skip(FIRST_PIECE) {
            for (at, _) in text.char_indices().skip(1) {
                let (left, right) = text.split_at(at);
                if known.contains_key(left) && known.contains_key(right) && merges.len() < MOST_MERGES {
                    merges.push((*score, [left, right]));
                }
            }
        }
        merges.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        merges.into_iter().map(|(_, merge)| merge).collect()
    }
}

pub fn tokenizer_config(positions: i64) -> Value {
    json!({
        "tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
        "clean_up_tokenization_spaces": false, "model_max_length": positions,
    })
}
