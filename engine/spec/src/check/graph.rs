//! A DAG or a pipeline, as the checks see it.

use crate::{
    Catalog, OperatorSignature,
    load::{Library, LibraryEntry},
    model::{Dag, Defaults, ParamSpec, Pipeline, PipelineInput, Step},
    read::{NameMap, Spanned},
    source::Source,
};

/// Steps with what they may refer to.
#[derive(Clone, Copy)]
pub(crate) struct Graph<'a> {
    pub(crate) source: &'a Source,
    pub(crate) name: &'a str,
    pub(crate) params: Option<&'a NameMap<ParamSpec>>,
    /// Of a pipeline.
    pub(crate) inputs: Option<&'a NameMap<PipelineInput>>,
    pub(crate) outputs: Option<&'a NameMap<Spanned<String>>>,
    pub(crate) defaults: Option<&'a Defaults>,
    pub(crate) steps: &'a NameMap<Step>,
    pub(crate) is_pipeline: bool,
}

impl<'a> Graph<'a> {
    pub(crate) fn of_dag(dag: &'a Dag, source: &'a Source) -> Self {
        Self {
            source,
            name: &dag.name.value.0,
            params: dag.params.as_ref(),
            inputs: None,
            outputs: None,
            defaults: dag.defaults.as_ref(),
            steps: &dag.steps,
            is_pipeline: false,
        }
    }

    pub(crate) fn of_pipeline(pipeline: &'a Pipeline, source: &'a Source) -> Self {
        Self {
            source,
            name: &pipeline.name.value.0,
            params: pipeline.params.as_ref(),
            inputs: pipeline.inputs.as_ref(),
            outputs: pipeline.outputs.as_ref(),
            defaults: pipeline.defaults.as_ref(),
            steps: &pipeline.steps,
            is_pipeline: true,
        }
    }

    pub(crate) fn of_entry(entry: &'a LibraryEntry) -> Self {
        Self::of_pipeline(&entry.pipeline, &entry.source)
    }
}

/// What a step uses.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    Operator(&'a OperatorSignature),
    Pipeline(Graph<'a>),
    /// Reported where it is used; nothing more is said about it.
    Unknown,
}

/// Where operators and pipelines are looked up.
#[derive(Clone, Copy)]
pub(crate) struct World<'a> {
    pub(crate) library: &'a Library,
    pub(crate) catalog: &'a dyn Catalog,
}

impl<'a> World<'a> {
    pub(crate) fn target(&self, step: &Step) -> Target<'a> {
        match step.uses.strip_prefix("pipeline/") {
            Some(name) => self
                .library
                .entry(name)
                .map_or(Target::Unknown, |entry| Target::Pipeline(Graph::of_entry(entry))),
            None => self
                .catalog
                .operator(&step.uses)
                .map_or(Target::Unknown, Target::Operator),
        }
    }
}

/// What an entry below `in:` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reference<'a> {
    /// `dataset:NAME@VERSION`, without the prefix.
    Dataset(&'a str),
    /// `model:NAME@ALIAS`, without the prefix.
    Model(&'a str),
    /// `inputs.NAME`.
    Input(&'a str),
    /// `STEP.PORT`.
    Step { step: &'a str, port: &'a str },
}

impl<'a> Reference<'a> {
    /// Reads a reference; `None` where it has none of the forms.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("dataset:") {
            return Some(Self::Dataset(rest));
        }
        if let Some(rest) = text.strip_prefix("model:") {
            return Some(Self::Model(rest));
        }
        let (first, second) = text.split_once('.')?;
        if first.is_empty() || second.is_empty() || second.contains('.') || text.contains("${{") {
            return None;
        }
        Some(if first == "inputs" {
            Self::Input(second)
        } else {
            Self::Step {
                step: first,
                port: second,
            }
        })
    }
}
