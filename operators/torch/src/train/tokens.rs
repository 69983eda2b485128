//! Tokens of a dataset in a file of the attempt's folder: only an index stays in memory.

use std::{
    fs::File,
    io::{BufWriter, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use crate::ModelError;

/// A run of tokens in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sequence {
    start: u64,
    /// Tokens.
    pub length: u32,
    /// Tokens at the beginning that are given and not predicted; at least 1.
    pub given: u32,
}

impl Sequence {
    /// Tokens that are predicted.
    #[must_use]
    pub fn targets(&self) -> u64 {
        u64::from(self.length.saturating_sub(self.given))
    }
}

/// Writes sequences one after another.
pub struct TokenWriter {
    path: PathBuf,
    file: BufWriter<File>,
    written: u64,
    sequences: Vec<Sequence>,
}

impl TokenWriter {
    /// A new file.
    ///
    /// # Errors
    /// `model.unreadable` when it cannot be made.
    pub fn create(path: &Path) -> Result<Self, ModelError> {
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path);
        let file = file.map_err(|source| ModelError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
            written: 0,
            sequences: Vec::new(),
        })
    }

    /// Adds a sequence of which the first `given` tokens are not predicted. One without a token to predict is left out.
    ///
    /// # Errors
    /// `model.unreadable` when the disk is full.
    pub fn push(&mut self, tokens: &[u32], given: usize) -> Result<(), ModelError> {
        let given = given.max(1);
        if tokens.len() <= given {
            return Ok(());
        }
        let start = self.written;
        self.append(tokens)?;
        self.sequences.push(Sequence {
            start,
            length: to_u32(tokens.len()),
            given: to_u32(given),
        });
        Ok(())
    }

    /// Adds a text as sequences of its own, in each of which up to `context` tokens are predicted from those before them.
    ///
    /// # Errors
    /// `model.unreadable` when the disk is full.
    pub fn push_cut(&mut self, tokens: &[u32], context: usize) -> Result<(), ModelError> {
        let mut start = 0;
        while tokens.len() - start > 1 {
            let end = tokens.len().min(start + context + 1);
            self.push(tokens.get(start..end).unwrap_or_default(), 1)?;
            // The last token of a piece is the first of the next: every one is predicted once.
            start = end - 1;
        }
        Ok(())
    }

    /// Adds tokens to a long text without a boundary; [`Self::finish_blocks`] cuts it.
    ///
    /// # Errors
    /// `model.unreadable` when the disk is full.
    pub fn append(&mut self, tokens: &[u32]) -> Result<(), ModelError> {
        for token in tokens {
            let written = self.file.write_all(&token.to_le_bytes());
            written.map_err(|source| ModelError::Io {
                path: self.path.clone(),
                source,
            })?;
        }
        self.written += tokens.len() as u64;
        Ok(())
    }

    /// Tokens so far.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.written
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.written == 0
    }

    /// The sequences that were pushed.
    ///
    /// # Errors
    /// `model.unreadable` when the disk is full.
    pub fn finish(self) -> Result<TokenFile, ModelError> {
        let Self {
            path,
            file,
            sequences,
            ..
        } = self;
        let file = file.into_inner().map_err(|error| ModelError::Io {
            path: path.clone(),
            source: error.into_error(),
        })?;
        Ok(TokenFile {
            path,
            file,
            sequences,
        })
    }

    /// All tokens as blocks in which `context` tokens are predicted from those before them; what is left at the end is
    /// a shorter block where it is worth one.
    ///
    /// # Errors
    /// `model.unreadable` when the disk is full.
    pub fn finish_blocks(mut self, context: usize) -> Result<TokenFile, ModelError> {
        let context = context as u64;
        let mut start = 0;
        self.sequences.clear();
        while self.written - start > 1 {
            let length = (self.written - start).min(context + 1);
            if length == context + 1 || start == 0 {
                self.sequences.push(Sequence {
                    start,
                    length: u32::try_from(length).unwrap_or(u32::MAX),
                    given: 1,
                });
            }
            start += context.min(length);
        }
        self.finish()
    }
}

/// The tokens, and where each sequence is.
pub struct TokenFile {
    path: PathBuf,
    file: File,
    sequences: Vec<Sequence>,
}

impl TokenFile {
    /// All sequences.
    #[must_use]
    pub fn sequences(&self) -> &[Sequence] {
        &self.sequences
    }

    /// A sequence's tokens.
    ///
    /// # Errors
    /// `model.unreadable` when the file cannot be read.
    pub fn read(&self, sequence: Sequence) -> Result<Vec<i64>, ModelError> {
        let mut bytes = vec![0; sequence.length as usize * 4];
        let read = self.file.read_exact_at(&mut bytes, sequence.start * 4);
        read.map_err(|source| ModelError::Io {
            path: self.path.clone(),
            source,
        })?;
        let (words, _) = bytes.as_chunks::<4>();
        Ok(words
            .iter()
            .map(|word| i64::from(u32::from_le_bytes(*word)))
            .collect())
    }

    /// Tokens that are predicted in one pass.
    #[must_use]
    pub fn targets(&self) -> u64 {
        self.sequences.iter().map(Sequence::targets).sum()
    }
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
