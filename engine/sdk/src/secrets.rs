//! The values behind `secret:NAME`, and striking them out of what is said.

use std::{collections::BTreeMap, env, fmt, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Environment variables of this prefix hold the values of `secret:NAME` references.
pub const SECRET_PREFIX: &str = "TWINLOOM_SECRET_";

/// Shorter values are not struck out: they would hit ordinary words.
const SHORTEST: usize = 4;
/// Shorter lines of a value of several lines are not struck out by themselves.
const SHORTEST_LINE: usize = 8;

/// Values of secrets by name. What is printed of them for debugging is their names.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secrets(Arc<BTreeMap<String, String>>);

impl Secrets {
    /// Values by name.
    #[must_use]
    pub fn new(values: BTreeMap<String, String>) -> Self {
        Self(Arc::new(values))
    }

    /// The value of a secret.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The name in `secret:NAME`; none for other text.
#[must_use]
pub fn reference(text: &str) -> Option<&str> {
    let name = text.strip_prefix("secret:")?;
    let mut rest = name.chars();
    let first = rest.next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (first && name.len() <= 100 && rest.all(fine)).then_some(name)
}

/// Texts that must not be said, longest first, so that one that holds another goes as a whole.
#[derive(Clone, Default)]
pub(crate) struct Needles(Arc<Vec<String>>);

impl Needles {
    /// The values of all secrets in the environment.
    pub fn of_environment() -> Self {
        let vars = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        let secrets = vars.filter(|(name, _)| name.starts_with(SECRET_PREFIX));
        Self::default().with(secrets.map(|(_, value)| value))
    }

    /// With these secrets' values too.
    pub fn and(self, secrets: &Secrets) -> Self {
        if secrets.is_empty() {
            return self;
        }
        self.with(secrets.0.values().cloned())
    }

    /// The text with each of them replaced.
    pub fn strike(&self, text: String) -> String {
        self.0.iter().fold(text, |text, needle| {
            if text.contains(needle.as_str()) {
                text.replace(needle.as_str(), "[secret]")
            } else {
                text
            }
        })
    }

    /// The same in every text of a value.
    pub fn strike_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.strike(std::mem::take(text)),
            Value::Array(values) => values.iter_mut().for_each(|value| self.strike_value(value)),
            Value::Object(values) => values.values_mut().for_each(|value| self.strike_value(value)),
            _ => {}
        }
    }

    /// A value of several lines is said a line at a time, so each of them counts.
    fn with(self, values: impl Iterator<Item = String>) -> Self {
        let mut needles = Arc::unwrap_or_clone(self.0);
        for value in values {
            let value = value.trim();
            let lines = value
                .lines()
                .map(str::trim)
                .filter(|line| line.len() >= SHORTEST_LINE);
            needles.extend(lines.map(str::to_owned));
            if value.len() >= SHORTEST {
                needles.push(value.to_owned());
            }
        }
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self(Arc::new(needles))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use serde_json::json;

    use super::*;

    fn secrets(value: &str) -> Secrets {
        Secrets::new([("KEY".to_owned(), value.to_owned())].into())
    }

    #[test]
    fn a_reference_is_a_whole_text_with_a_plain_name() {
        assert_eq!(reference("secret:TWO.x-1"), Some("TWO.x-1"));
        assert_eq!(reference("a secret:NO"), None);
        assert_eq!(reference("secret:../up"), None);
        assert_eq!(reference("secret:"), None);
        assert_eq!(reference("secret:.hidden"), None);
    }

    #[test]
    fn values_are_not_debugged_and_are_struck_out_by_line() {
        let found = secrets("open sesame\nsecond-line-of-it\nend");
        assert_eq!(format!("{found:?}"), r#"{"KEY"}"#);
        let needles = Needles::default().and(&found);
        assert_eq!(needles.strike("it is open sesame!".to_owned()), "it is [secret]!");
        assert_eq!(needles.strike("second-line-of-it end".to_owned()), "[secret] end");
        let mut value = json!({"note": ["open sesame\nsecond-line-of-it\nend"], "n": 1});
        needles.strike_value(&mut value);
        assert_eq!(value, json!({"note": ["[secret]"], "n": 1}));
    }

    #[test]
    fn the_longer_of_two_goes_first() {
        let needles = Needles::default().with(["sesame".to_owned(), "open sesame".to_owned()].into_iter());
        assert_eq!(
            needles.strike("open sesame, sesame".to_owned()),
            "[secret], [secret]"
        );
    }
}
