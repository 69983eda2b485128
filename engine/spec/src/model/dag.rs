//! The two kinds of file.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::{ConcurrencySpec, Defaults, Label, On, ParamSpec, Period, Step};
use crate::{
    PortKind,
    diagnostic::codes,
    read::{FromNode, NameMap, Reader, Spanned, choices, spec_struct},
    yaml::Node,
};

/// The version of the language: `twinloom/v1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiVersion;

impl ApiVersion {
    /// The text in the file.
    pub const TEXT: &'static str = "twinloom/v1";
}

impl FromNode for ApiVersion {
    const EXPECTED: &'static str = "`twinloom/v1`";

    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        if node.as_str() == Some(Self::TEXT) {
            return Some(Self);
        }
        let found = node
            .as_str()
            .map_or_else(|| node.kind().to_owned(), |text| format!("`{text}`"));
        let message = format!("expected `apiVersion: {}`, found {found}", Self::TEXT);
        reader.error(node.span, codes::API_VERSION, message);
        None
    }

    fn fallback() -> Option<Self> {
        Some(Self)
    }
}

impl JsonSchema for ApiVersion {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ApiVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"const": ApiVersion::TEXT})
    }
}

/// `kind: Dag`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
pub enum DagKind {
    /// A DAG.
    Dag,
}

/// `kind: Pipeline`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
pub enum PipelineKind {
    /// A pipeline.
    Pipeline,
}

choices!(DagKind: "the kind of a DAG file" { "Dag" => Dag, } else DagKind::Dag);
choices!(PipelineKind: "the kind of a pipeline file" { "Pipeline" => Pipeline, } else PipelineKind::Pipeline);
choices!(PortKind: "a kind of artifact" { "dataset" => Dataset, "model" => Model, });

/// Free text by name.
pub type Labels = NameMap<String>;

spec_struct! {
    /// A DAG: what runs, with which parameters, when.
    pub struct Dag: "a DAG" {
        /// The version of the language.
        "apiVersion" => api_version: ApiVersion,
        /// The kind of file.
        "kind" => kind: DagKind,
        /// The DAG's name.
        "name" => name: Spanned<Label>,
        /// What it is for.
        "description" => description: Option<String>,
        /// Who answers for it.
        "owner" => owner: Option<String>,
        /// Free text by name, to find it by.
        "labels" => labels: Option<Labels>,
        /// Parameters of a run.
        "params" => params: Option<NameMap<ParamSpec>>,
        /// What starts it, beside a person.
        "on" => on: Option<On>,
        /// Datasets that must be newer than so long; an alert is raised where one is not.
        "freshness" => freshness: Option<NameMap<Spanned<Period>>>,
        /// How runs share it.
        "concurrency" => concurrency: Option<ConcurrencySpec>,
        /// Slots by pool: at most so many tasks with that `pool` run at a time.
        "pools" => pools: Option<NameMap<Spanned<u32>>>,
        /// What holds for every step that does not state it itself.
        "defaults" => defaults: Option<Defaults>,
        /// The steps by name.
        "steps" => steps: NameMap<Step>,
    }
}

spec_struct! {
    /// A pipeline: steps that DAGs and other pipelines use as one.
    pub struct Pipeline: "a pipeline" {
        /// The version of the language.
        "apiVersion" => api_version: ApiVersion,
        /// The kind of file.
        "kind" => kind: PipelineKind,
        /// The pipeline's name, as in `uses: pipeline/NAME`.
        "name" => name: Spanned<Label>,
        /// What it is for.
        "description" => description: Option<String>,
        /// Who answers for it.
        "owner" => owner: Option<String>,
        /// Free text by name, to find it by.
        "labels" => labels: Option<Labels>,
        /// Parameters, given by `with:`.
        "params" => params: Option<NameMap<ParamSpec>>,
        /// What flows in, given by `in:`.
        "inputs" => inputs: Option<NameMap<PipelineInput>>,
        /// What flows out: `STEP.PORT` by name.
        "outputs" => outputs: Option<NameMap<Spanned<String>>>,
        /// What holds for every step that does not state it itself.
        "defaults" => defaults: Option<Defaults>,
        /// The steps by name.
        "steps" => steps: NameMap<Step>,
    }
}

spec_struct! {
    /// An input of a pipeline.
    pub struct PipelineInput: "an input's declaration" {
        /// What it carries; `dataset` unless stated.
        "kind" => kind: Option<PortKind>,
        /// Whether it may be left out.
        "optional" => optional: Option<bool>,
        /// What it is.
        "description" => description: Option<String>,
    }
}
