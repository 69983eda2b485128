//! From the spanned tree to typed structs. One declaration of a struct gives its fields, the keys that the parser
//! accepts, the JSON Schema and the reference page.

mod containers;
mod macros;
mod scalars;

pub(crate) use containers::identifier;
pub use containers::{Entry, NameMap, OneOrMany, Spanned};
pub(crate) use macros::{choices, spec_struct, text_type};

use crate::{
    diagnostic::{Diagnostic, Report, codes},
    source::Source,
    yaml::{Data, Node, Pair, Span},
};

/// What reading needs: the text for places, and where errors go.
pub struct Reader<'a> {
    pub(crate) source: &'a Source,
    pub(crate) report: &'a mut Report,
}

/// A type that a value of the tree can be read as. `None`: the reason is in the report.
pub trait FromNode: Sized {
    /// What is expected, for messages: `a list of steps`.
    const EXPECTED: &'static str;
    /// Whether `null` is a value of the type.
    const TAKES_NULL: bool = false;

    #[doc(hidden)]
    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self>;

    #[doc(hidden)]
    /// What stands in for a required value that is missing or wrong, so that the rest of the file is checked as well.
    fn fallback() -> Option<Self> {
        None
    }
}

/// A field of a struct: present, absent or wrong.
pub(crate) trait Field: Sized {
    fn field(pairs: &[Pair], key: &str, place: Place<'_>, reader: &mut Reader<'_>) -> Option<Self>;
}

/// The mapping that a field belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) span: Span,
    pub(crate) what: &'a str,
}

impl<T: FromNode> Field for T {
    fn field(pairs: &[Pair], key: &str, place: Place<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(pair) = pairs.iter().find(|pair| pair.key == key) else {
            let message = format!("{} needs the key `{key}` ({})", place.what, T::EXPECTED);
            reader.error(head(reader.source, place.span), codes::MISSING_KEY, message);
            return T::fallback();
        };
        T::from_node(&pair.value, reader).or_else(T::fallback)
    }
}

impl<T: FromNode> Field for Option<T> {
    fn field(pairs: &[Pair], key: &str, _: Place<'_>, reader: &mut Reader<'_>) -> Option<Self> {
        let given = pairs.iter().find(|pair| pair.key == key);
        // A key with nothing behind it is as good as none.
        let given = given.filter(|pair| T::TAKES_NULL || pair.value.data != Data::Null);
        // A field that cannot be read is left out: the error stands in the report, and reading goes on.
        Some(given.and_then(|pair| T::from_node(&pair.value, reader)))
    }
}

impl Reader<'_> {
    pub(crate) fn error(
        &mut self,
        span: Span,
        code: &'static str,
        message: impl Into<String>,
    ) -> &mut Diagnostic {
        self.report.error(self.source, span, code, message)
    }

    /// The value is of another type than expected.
    pub(crate) fn type_error(&mut self, node: &Node, expected: &str) -> &mut Diagnostic {
        self.error(
            node.span,
            codes::TYPE,
            format!("expected {expected}, found {}", node.kind()),
        )
    }

    /// The pairs of a mapping whose keys are all known.
    pub(crate) fn mapping<'n>(&mut self, node: &'n Node, keys: &[&str], what: &str) -> Option<&'n [Pair]> {
        let Some(pairs) = node.as_map() else {
            self.type_error(node, &format!("{what} (a mapping with {})", list_keys(keys)));
            return None;
        };
        for pair in pairs.iter().filter(|pair| !keys.contains(&pair.key.as_str())) {
            // Merge keys have their own error.
            if pair.key != "<<" && !pair.key.starts_with('?') {
                let message = format!("{what} has no key `{}`", pair.key);
                let hint = did_you_mean(&pair.key, keys.iter().copied())
                    .unwrap_or_else(|| format!("Known keys: {}.", list_keys(keys)));
                self.error(pair.key_span, codes::UNKNOWN_KEY, message).hint = Some(hint);
            }
        }
        Some(pairs)
    }
}

fn list_keys(keys: &[&str]) -> String {
    keys.iter()
        .map(|key| format!("`{key}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The first line of a span: enough for a caret below a mapping that misses a key.
pub(crate) fn head(source: &Source, span: Span) -> Span {
    let text = source.text().get(span.range()).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    Span::new(span.start, span.start + line.trim_end().len())
}

/// `Did you mean …?`, where one of the names is close.
pub(crate) fn did_you_mean<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    closest(wrong, names).map(|name| format!("Did you mean `{name}`?"))
}

/// The closest of the names, where it is close enough to be meant.
pub(crate) fn closest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong: String = wrong.chars().take(64).collect::<String>().to_lowercase();
    names
        .into_iter()
        .take(1000)
        .map(|name| (strsim::damerau_levenshtein(&wrong, &name.to_lowercase()), name))
        .filter(|(distance, name)| *distance <= 1 + wrong.chars().count().min(name.chars().count()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
