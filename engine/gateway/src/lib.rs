//! The inference pipeline: retrieval, prompts, answers with citations.
