//! Events as messages for people.

use serde::Serialize;
use serde_json::Value;
use twinloom_meta::{EventRow, event};

use super::Wanted;

/// What is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Message {
    /// The event's cursor: a receiver knows by it what it has had.
    pub event: i64,
    /// `run.failed`, `approval.wanted`, `freshness.missed`.
    pub kind: &'static str,
    /// One line.
    pub title: String,
    /// More, where there is more.
    pub text: String,
    /// The page to look at.
    pub url: String,
    /// When.
    pub at: jiff::Timestamp,
    /// The event's own content.
    pub payload: Value,
}

/// The message of an event, where it is wanted.
pub fn of(row: &EventRow, wanted: &[Wanted], page: &str) -> Option<Message> {
    let text = |key: &str| row.payload.get(key).and_then(Value::as_str).unwrap_or_default();
    let (what, kind, title, more, path) = match row.kind.as_str() {
        event::RUN_ENDED if text("state") == "failed" => {
            let error = |key: &str| row.payload.get("error")?.get(key)?.as_str();
            let title = format!("Run of {} failed", text("dag"));
            let more = [error("message"), error("hint")];
            let more: Vec<&str> = more
                .into_iter()
                .flatten()
                .filter(|text| !text.is_empty())
                .collect();
            (
                Wanted::RunFailed,
                "run.failed",
                title,
                more.join("\n"),
                path(&["runs", &row.subject]),
            )
        }
        event::APPROVAL_OPENED => {
            let (run, task) = row.subject.split_once('/')?;
            (
                Wanted::ApprovalWanted,
                "approval.wanted",
                format!("An approval is wanted: {task}"),
                text("question").to_owned(),
                path(&["approvals", run, task]),
            )
        }
        event::FRESHNESS_MISSED => {
            let title = format!("{} is older than it may be", row.subject);
            let more = format!("It was due at {}.", text("deadline"));
            (
                Wanted::FreshnessMissed,
                "freshness.missed",
                title,
                more,
                path(&["datasets", &row.subject]),
            )
        }
        _ => return None,
    };
    wanted.contains(&what).then(|| Message {
        event: row.id,
        kind,
        title,
        text: more,
        url: format!("{page}{path}"),
        at: row.at,
        payload: row.payload.clone(),
    })
}

/// The path of a page; each part is percent-encoded, as the web UI does it.
fn path(parts: &[&str]) -> String {
    let mut path = String::new();
    for part in parts {
        path.push('/');
        for byte in part.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    path.push(char::from(byte));
                }
                _ => path.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    path
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_wanted_is_told() {
        let row = |kind: &str, state: &str| EventRow {
            id: 7,
            kind: kind.to_owned(),
            subject: "01RUN".to_owned(),
            payload: json!({ "state": state, "dag": "twin", "error": { "message": "no disk", "hint": "Make room." } }),
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let all = [Wanted::RunFailed, Wanted::ApprovalWanted];
        let told = of(&row(event::RUN_ENDED, "failed"), &all, "http://x").unwrap();
        assert_eq!(
            (told.event, told.text.as_str(), told.url.as_str()),
            (7, "no disk\nMake room.", "http://x/runs/01RUN")
        );
        assert_eq!(of(&row(event::RUN_ENDED, "succeeded"), &all, ""), None);
        assert_eq!(
            of(&row(event::RUN_ENDED, "failed"), &[Wanted::FreshnessMissed], ""),
            None
        );
    }

    #[test]
    fn an_approval_leads_to_its_page() {
        let row = EventRow {
            id: 7,
            kind: event::APPROVAL_OPENED.to_owned(),
            subject: "01RUN/release/approve it".to_owned(),
            payload: json!({ "question": "Release?" }),
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let told = of(&row, &[Wanted::ApprovalWanted], "http://x").unwrap();
        assert_eq!(told.url, "http://x/approvals/01RUN/release%2Fapprove%20it");
        assert_eq!(
            (told.title.as_str(), told.text.as_str()),
            ("An approval is wanted: release/approve it", "Release?")
        );
    }
}
