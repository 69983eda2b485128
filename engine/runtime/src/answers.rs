//! What several answers to a question come to.

use serde_json::Value;
use twinloom_meta::DecisionRow;
use twinloom_sdk::Decision;

/// How many must approve.
pub fn required(request: &Value) -> usize {
    let required = request.get("required").and_then(Value::as_u64).unwrap_or(1);
    usize::try_from(required).unwrap_or(usize::MAX).max(1)
}

/// The one decision that these answers are: the first rejection, or all approvals once there are enough.
pub fn verdict(required: usize, answers: &[DecisionRow]) -> Option<Decision> {
    if let Some(no) = answers.iter().find(|row| !row.approved) {
        return Some(Decision {
            approved: false,
            by: no.by.clone(),
            at: no.at,
            comment: no.comment.clone(),
        });
    }
    let last = answers.last().filter(|_| answers.len() >= required)?;
    let by: Vec<&str> = answers.iter().map(|row| row.by.as_str()).collect();
    let comment = match answers {
        [one] => one.comment.clone(),
        several => {
            let comments = several
                .iter()
                .filter_map(|row| Some(format!("{}: {}", row.by, row.comment.as_ref()?)));
            Some(comments.collect::<Vec<_>>().join("\n")).filter(|text| !text.is_empty())
        }
    };
    Some(Decision {
        approved: true,
        by: by.join(", "),
        at: last.at,
        comment,
    })
}
