//! Hugging Face checkpoint folders.
