//! What the model is told: passages of the author's own documents, then the question.

use serde_json::{Value, json};

use crate::Citation;

/// Longest passage in a prompt, in characters; small models have small windows.
const LONGEST_PASSAGE: usize = 600;

/// One user message that asks for an answer grounded in the passages, which carry the numbers to cite.
pub fn messages(question: &str, citations: &[Citation], window: usize) -> Vec<Value> {
    let each = citations.len().max(1);
    let budget = LONGEST_PASSAGE.min(window.saturating_sub(question.len()) / each);
    let passage = |citation: &Citation| {
        let text: String = citation.quote.chars().take(budget).collect();
        format!("[{}] {text}", citation.number)
    };
    let passages: Vec<_> = citations.iter().map(passage).collect();
    let content = if passages.is_empty() {
        question.to_owned()
    } else {
        format!(
            "{}\n\nAnswer from the passages above and cite them by number.\n{question}",
            passages.join("\n\n")
        )
    };
    vec![json!({ "role": "user", "content": content })]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passages_are_numbered_and_fit_the_window() {
        let citation = |number| Citation {
            number,
            document: "d".into(),
            chunk: "d#0".into(),
            title: None,
            link: None,
            score: 1.0,
            quote: "é".repeat(5000),
        };
        let messages = messages("Why?", &[citation(1), citation(2)], 1000);
        let content = messages[0]["content"].as_str().unwrap();
        assert!(content.contains("[1] é") && content.contains("[2] é") && content.ends_with("Why?"));
        assert!(content.chars().count() < 1200, "{}", content.chars().count());
    }
}
