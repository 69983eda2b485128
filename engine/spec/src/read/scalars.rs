//! Booleans, numbers, text and untyped values.

use super::{FromNode, Reader};
use crate::{
    diagnostic::codes,
    yaml::{Data, Node},
};

impl FromNode for bool {
    const EXPECTED: &'static str = "`true` or `false`";

    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.data {
            Data::Bool(value) => Some(*value),
            Data::String(text) if matches!(text.to_lowercase().as_str(), "yes" | "no" | "on" | "off") => {
                reader.type_error(node, Self::EXPECTED).hint =
                    Some("YAML 1.2 knows only `true` and `false`.".into());
                None
            }
            _ => {
                reader.type_error(node, Self::EXPECTED);
                None
            }
        }
    }
}

macro_rules! unsigned {
    ($($type:ty),+) => {$(
        impl FromNode for $type {
            const EXPECTED: &'static str = "a whole number";

            fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
                let Data::Number(number) = &node.data else {
                    reader.type_error(node, Self::EXPECTED);
                    return None;
                };
                let value = number.as_u64().and_then(|value| Self::try_from(value).ok());
                if value.is_none() {
                    let message = format!("{number} is out of range: expected a whole number from 0 to {}", Self::MAX);
                    reader.error(node.span, codes::OUT_OF_RANGE, message);
                }
                value
            }
        }
    )+};
}

unsigned!(u32, u64);

impl FromNode for f64 {
    const EXPECTED: &'static str = "a number";

    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let value = match &node.data {
            Data::Number(number) => number.as_f64(),
            _ => None,
        };
        if value.is_none() {
            reader.type_error(node, Self::EXPECTED);
        }
        value
    }
}

impl FromNode for String {
    const EXPECTED: &'static str = "text";

    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if let Data::String(text) = &node.data {
            return Some(text.clone());
        }
        let hint =
            matches!(node.data, Data::Bool(_) | Data::Number(_)).then(|| "Put quotes around it.".to_owned());
        reader.type_error(node, Self::EXPECTED).hint = hint;
        None
    }
}

/// Any value, kept with its places.
impl FromNode for Node {
    const EXPECTED: &'static str = "a value";
    const TAKES_NULL: bool = true;

    fn from_node(node: &Node, _: &mut Reader<'_>) -> Option<Self> {
        Some(node.clone())
    }
}

impl schemars::JsonSchema for Node {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        true.into()
    }
}
