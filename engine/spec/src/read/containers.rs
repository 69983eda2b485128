//! Values with places, lists, and mappings from names.

use std::{borrow::Cow, fmt, ops::Deref};

use indexmap::{IndexMap, IndexSet};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{FromNode, Reader, did_you_mean};
use crate::{
    diagnostic::codes,
    yaml::{Data, Node, Span},
};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Display> fmt::Display for Spanned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl<T: FromNode> FromNode for Spanned<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        T::from_node(node, reader).map(|value| Self {
            value,
            span: node.span,
        })
    }
}

impl<T: JsonSchema> JsonSchema for Spanned<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl<T: FromNode> FromNode for Vec<T> {
    const EXPECTED: &'static str = "a list";

    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Data::List(items) = &node.data else {
            reader.type_error(node, &format!("a list, each entry {}", T::EXPECTED));
            return None;
        };
        Some(
            items
                .iter()
                .filter_map(|item| T::from_node(item, reader))
                .collect(),
        )
    }
}

/// One value, or a list of them.
#[derive(Debug, Clone, PartialEq)]
pub struct OneOrMany<T> {
    /// The values; one where it was not a list.
    pub values: Vec<T>,
    /// Whether it was a list.
    pub list: bool,
}

impl<T: FromNode> FromNode for OneOrMany<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if matches!(node.data, Data::List(_)) {
            return Vec::from_node(node, reader).map(|values| Self { values, list: true });
        }
        T::from_node(node, reader).map(|value| Self {
            values: vec![value],
            list: false,
        })
    }
}

impl<T: JsonSchema> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("OneOrMany_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({"anyOf": [one, {"type": "array", "items": one}]})
    }
}

/// A mapping from names that the file's author chooses.
#[derive(Debug, Clone)]
pub struct NameMap<T> {
    entries: IndexMap<String, Entry<T>>,
    /// Names whose value could not be read; references to them are not reported a second time.
    broken: IndexSet<String>,
    /// The whole mapping.
    pub span: Span,
}

impl<T> Default for NameMap<T> {
    fn default() -> Self {
        Self {
            entries: IndexMap::new(),
            broken: IndexSet::new(),
            span: Span::default(),
        }
    }
}

/// A named value.
#[derive(Debug, Clone)]
pub struct Entry<T> {
    /// Where the name stands.
    pub key_span: Span,
    /// The value.
    pub value: T,
}

impl<T> NameMap<T> {
    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&T> {
        self.entries.get(name).map(|entry| &entry.value)
    }

    /// Name, place and value, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Entry<T>)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// The names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries
            .keys()
            .map(String::as_str)
            .chain(self.broken.iter().map(String::as_str))
    }

    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many are named.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The position of a name in the order of the file.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.entries.get_index_of(name)
    }

    pub(crate) fn at(&self, index: usize) -> Option<(&str, &Entry<T>)> {
        self.entries
            .get_index(index)
            .map(|(name, entry)| (name.as_str(), entry))
    }

    pub(crate) fn is_broken(&self, name: &str) -> bool {
        self.broken.contains(name)
    }

    /// `Did you mean …?`, or the names there are.
    pub(crate) fn suggest(&self, wrong: &str, what: &str) -> String {
        did_you_mean(wrong, self.names()).unwrap_or_else(|| {
            let names: Vec<_> = self.names().take(12).map(|name| format!("`{name}`")).collect();
            if names.is_empty() {
                format!("There are no {what}.")
            } else {
                format!("Known {what}: {}.", names.join(", "))
            }
        })
    }
}

impl<T: FromNode> FromNode for NameMap<T> {
    const EXPECTED: &'static str = "a mapping from names";

    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(pairs) = node.as_map() else {
            reader.type_error(node, &format!("a mapping from names, each to {}", T::EXPECTED));
            return None;
        };
        let mut map = Self {
            span: node.span,
            ..Self::default()
        };
        for pair in pairs {
            if pair.key == "<<" || pair.key.starts_with('?') {
                continue;
            }
            if !identifier(&pair.key) {
                let message = format!("`{}` is not a name", pair.key);
                reader.error(pair.key_span, codes::NAME, message).hint = Some(
                    "A name begins with a letter and holds at most 64 letters, digits, `_` and `-`.".into(),
                );
            }
            match T::from_node(&pair.value, reader) {
                Some(value) => {
                    map.entries.insert(
                        pair.key.clone(),
                        Entry {
                            key_span: pair.key_span,
                            value,
                        },
                    );
                }
                None => {
                    map.broken.insert(pair.key.clone());
                }
            }
        }
        Some(map)
    }

    fn fallback() -> Option<Self> {
        Some(Self::default())
    }
}

impl<T: JsonSchema> JsonSchema for NameMap<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Named_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let values = generator.subschema_for::<T>();
        json_schema!({
            "type": "object",
            "additionalProperties": values,
            "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9_-]{0,63}$"},
        })
    }
}

/// Whether a text may name a step, parameter, port or dimension.
pub(crate) fn identifier(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}
