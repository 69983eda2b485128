//! Parameters, declared in a subset of JSON Schema.

use crate::{
    read::{NameMap, Spanned, choices, spec_struct},
    yaml::Node,
};

/// The type of a parameter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, schemars::JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum ParamType {
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// Any number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list.
    Array,
    /// A mapping.
    Object,
}

choices!(ParamType: "a type" {
    "string" => String, "integer" => Integer, "number" => Number, "boolean" => Boolean, "array" => Array, "object" => Object,
});

impl ParamType {
    /// The word in the YAML.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Array => "array",
            Self::Object => "object",
        }
    }
}

spec_struct! {
    /// A parameter: JSON Schema words for its value.
    pub struct ParamSpec: "a parameter's declaration" {
        /// The type of the value; any where it is left out.
        "type" => kind: Option<Spanned<ParamType>>,
        /// A short name for forms.
        "title" => title: Option<String>,
        /// What it is for.
        "description" => description: Option<String>,
        /// The value where none is given.
        "default" => default: Option<Node>,
        /// Whether a value must be given; so unless there is a default.
        "required" => required: Option<Spanned<bool>>,
        /// The values that are allowed.
        "enum" => choices: Option<Vec<Node>>,
        /// The smallest number allowed.
        "minimum" => minimum: Option<Spanned<f64>>,
        /// The largest number allowed.
        "maximum" => maximum: Option<Spanned<f64>>,
        /// What each entry of a list must be.
        "items" => items: Option<Boxed>,
        /// What the values of a mapping must be, by key.
        "properties" => properties: Option<NameMap<Boxed>>,
    }
}

/// A declaration inside a declaration.
#[derive(Debug, Clone)]
pub struct Boxed(pub Box<ParamSpec>);

impl crate::read::FromNode for Boxed {
    const EXPECTED: &'static str = ParamSpec::EXPECTED;

    fn from_node(node: &Node, reader: &mut crate::read::Reader<'_>) -> Option<Self> {
        ParamSpec::from_node(node, reader).map(|spec| Self(Box::new(spec)))
    }
}

impl schemars::JsonSchema for Boxed {
    fn inline_schema() -> bool {
        ParamSpec::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        ParamSpec::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        ParamSpec::schema_id()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        ParamSpec::json_schema(generator)
    }
}
