//! A step: an operator or a pipeline with what flows in and out.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{Expression, Label, Period, ResourcesSpec, RetriesSpec, Search, defaults::ExecutorName};
use crate::{
    Goal,
    read::{FromNode, NameMap, OneOrMany, Reader, Spanned, spec_struct},
    yaml::{Data, Node},
};

spec_struct! {
    /// A step of a DAG or pipeline.
    pub struct Step: "a step" {
        /// The operator, or `pipeline/NAME` for the steps of a pipeline.
        "uses" => uses: Spanned<String>,
        /// What the step is for.
        "description" => description: Option<String>,
        /// Configuration of the operator, or parameters of the pipeline. Text may hold `${{ }}`.
        "with" => with: Option<Node>,
        /// What flows in, by port: `STEP.PORT`, `dataset:NAME@VERSION`, `model:NAME@ALIAS`, in a pipeline `inputs.NAME`.
        "in" => inputs: Option<NameMap<OneOrMany<Spanned<String>>>>,
        /// The dataset or model that each output port publishes; `DAG.STEP.PORT` unless stated.
        "out" => outputs: Option<NameMap<Spanned<String>>>,
        /// Steps that must have ended well first, where no data flows.
        "after" => after: Option<OneOrMany<Spanned<String>>>,
        /// Run only where this is true; over `params`, `steps.STEP.metrics.NAME` and `run`.
        "if" => condition: Option<Condition>,
        /// One task for each combination of these values, as `${{ matrix.NAME }}`.
        "matrix" => matrix: Option<Matrix>,
        /// One task for each of some drawn configurations, as `${{ search.NAME }}`; needs `select`.
        "search" => search: Option<Spanned<Search>>,
        /// Take the outputs of the best combination only.
        "select" => select: Option<Spanned<Select>>,
        /// One task for each entry, as `${{ item }}`.
        "for_each" => for_each: Option<Spanned<ForEach>>,
        /// A second name for `item`.
        "as" => item_name: Option<Spanned<String>>,
        /// Retries of transient failures.
        "retries" => retries: Option<RetriesSpec>,
        /// Wall-clock limit of one attempt, such as `30m`.
        "timeout" => timeout: Option<Period>,
        /// The pool whose slot a task takes.
        "pool" => pool: Option<Spanned<Label>>,
        /// Where tasks run.
        "executor" => executor: Option<ExecutorName>,
        /// Limits of the process.
        "resources" => resources: Option<ResourcesSpec>,
        /// Whether an earlier result with the same operator, configuration and inputs may stand in.
        "cache" => cache: Option<bool>,
    }
}

impl Step {
    /// Whether it stands for tasks with different values, of which `select` takes the best.
    #[must_use]
    pub fn is_varied(&self) -> bool {
        self.matrix.is_some() || self.search.is_some()
    }
}

spec_struct! {
    /// How the best combination of a matrix, or trial of a search, is found.
    pub struct Select: "`select`" {
        /// The metric to compare.
        "metric" => metric: Spanned<String>,
        /// Which way is better.
        "goal" => goal: Goal,
        /// The step of the pipeline whose metric it is; only where a pipeline is used.
        "step" => step: Option<Spanned<String>>,
    }
}

/// `if:`: a constant or an expression.
#[derive(Debug, Clone)]
pub enum Condition {
    /// `true` or `false`.
    Constant(bool),
    /// An expression without its braces.
    Expression(Spanned<Expression>),
}

impl FromNode for Condition {
    const EXPECTED: &'static str = "an expression in `${{ }}`, `true` or `false`";

    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.data {
            Data::Bool(value) => Some(Self::Constant(value)),
            Data::String(_) => Spanned::from_node(node, reader).map(Self::Expression),
            _ => {
                reader.type_error(node, Self::EXPECTED);
                None
            }
        }
    }
}

impl JsonSchema for Condition {
    fn schema_name() -> Cow<'static, str> {
        "Condition".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "boolean"}, generator.subschema_for::<Expression>()]})
    }
}

/// The dimensions of a matrix.
#[derive(Debug, Clone)]
pub enum Matrix {
    /// An expression that gives the whole mapping.
    Template(Spanned<Expression>),
    /// Values by dimension; each a list, or an expression that gives one.
    Dimensions(NameMap<Spanned<ForEach>>),
}

impl FromNode for Matrix {
    const EXPECTED: &'static str = "a mapping from names to lists";

    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match node.data {
            Data::String(_) => Spanned::from_node(node, reader).map(Self::Template),
            _ => NameMap::from_node(node, reader).map(Self::Dimensions),
        }
    }
}

impl JsonSchema for Matrix {
    fn schema_name() -> Cow<'static, str> {
        "Matrix".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let dimensions = generator.subschema_for::<NameMap<ForEach>>();
        json_schema!({"anyOf": [dimensions, generator.subschema_for::<Expression>()]})
    }
}

/// A list, or an expression that gives one.
#[derive(Debug, Clone)]
pub enum ForEach {
    /// An expression without its braces.
    Template(Spanned<Expression>),
    /// The entries, which may hold templates.
    List(Vec<Node>),
}

impl FromNode for ForEach {
    const EXPECTED: &'static str = "a list, or an expression in `${{ }}` that gives one";

    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        match &node.data {
            Data::String(_) => Spanned::from_node(node, reader).map(Self::Template),
            Data::List(items) => Some(Self::List(items.clone())),
            _ => {
                reader.type_error(node, Self::EXPECTED);
                None
            }
        }
    }
}

impl JsonSchema for ForEach {
    fn schema_name() -> Cow<'static, str> {
        "ForEach".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "array"}, generator.subschema_for::<Expression>()]})
    }
}
