//! What the spec must know of operators to check a file. The composition root hands it in.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Dataset or model, as a port states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PortKind {
    /// Rows in Parquet.
    Dataset,
    /// Named files.
    Model,
}

/// A column of a dataset port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSignature {
    /// Column name.
    pub name: String,
    /// Arrow data type in display form, such as `Utf8`.
    pub data_type: String,
}

/// An input or output of an operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortSignature {
    /// Port name, the key below `in:` or `out:`.
    pub name: String,
    /// What it carries.
    pub kind: PortKind,
    /// One sentence for people.
    pub doc: String,
    /// Of an input: columns it needs. Of an output: columns it has. Empty: any.
    pub columns: Vec<ColumnSignature>,
    /// An input that may be left out.
    pub optional: bool,
    /// An input that takes several artifacts.
    pub many: bool,
}

/// An operator, as the spec sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorSignature {
    /// The name after `uses:`.
    pub name: String,
    /// Its version, part of the cache key.
    pub version: String,
    /// One sentence for people.
    pub summary: String,
    /// JSON Schema of `with:`.
    pub config_schema: Value,
    /// Inputs.
    pub inputs: Vec<PortSignature>,
    /// Outputs.
    pub outputs: Vec<PortSignature>,
    /// Whether `in:` and `out:` may name ports that are not listed (`command`).
    pub open_ports: bool,
}

/// Looks operators up.
pub trait Catalog {
    /// The operator of that name.
    fn operator(&self, name: &str) -> Option<&OperatorSignature>;
    /// All names, for "did you mean".
    fn names(&self) -> Vec<&str>;
}
