//! Text to typed files, and the pipelines that DAGs use.

use indexmap::IndexMap;

use crate::{
    diagnostic::{Diagnostic, Diagnostics, Report, codes},
    model::{Dag, Pipeline},
    read::{FromNode, Reader},
    source::{Source, SourceFile},
    yaml::{self, Node},
};

/// Reads a DAG file: syntax and shape, not yet references. All errors at once.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn parse_dag(file: &SourceFile) -> Result<Dag, Diagnostics> {
    complete(read::<Dag>(file))
}

/// Reads a pipeline file: syntax and shape, not yet references. All errors at once.
///
/// # Errors
/// Everything that is wrong with the file.
pub fn parse_pipeline(file: &SourceFile) -> Result<Pipeline, Diagnostics> {
    complete(read::<Pipeline>(file))
}

/// What `kind:` says a file is, where it can be read so far: `Dag`, `Pipeline` or something wrong.
#[must_use]
pub fn kind_of(file: &SourceFile) -> Option<String> {
    let source = Source::new(&file.name, &file.text);
    let root = yaml::parse(&source, &mut Report::default())?;
    root.get("kind")?.as_str().map(str::to_owned)
}

/// Reads a YAML value, as `--param NAME=VALUE` gives it; text that is not YAML is taken as it is.
#[must_use]
pub fn read_value(text: &str) -> serde_json::Value {
    let source = Source::new("value", text);
    let mut report = Report::default();
    match yaml::parse(&source, &mut report) {
        Some(node) if report.is_empty() => node.to_value(),
        _ if matches!(text.trim(), "null" | "~") => serde_json::Value::Null,
        _ => serde_json::Value::String(text.to_owned()),
    }
}

/// What is wrong with a DAG file whose name another one has already.
#[must_use]
pub fn duplicate_dag(file: &SourceFile, dag: &Dag, first: &str) -> Diagnostics {
    let source = Source::new(&file.name, &file.text);
    let message = format!("the DAG `{}` is defined twice", dag.name.value.0);
    Diagnostics(vec![
        Diagnostic::new(&source, dag.name.span, codes::DUPLICATE_DAG, message)
            .with_hint(format!("The other one is in {first}.")),
    ])
}

fn complete<T>((value, _, report): Loaded<T>) -> Result<T, Diagnostics> {
    report.finish()?;
    // Nothing was reported, so it could be read.
    value.ok_or(Diagnostics(Vec::new()))
}

/// A typed file as far as it could be read, its text, and what is wrong.
pub(crate) type Loaded<T> = (Option<T>, Source, Report);

pub(crate) fn read<T: FromNode + OfKind>(file: &SourceFile) -> Loaded<T> {
    let source = Source::new(&file.name, &file.text);
    let mut report = Report::default();
    let Some(root) = yaml::parse(&source, &mut report) else {
        return (None, source, report);
    };
    if let Some(diagnostic) = other_kind::<T>(&source, &root) {
        report.push(diagnostic);
        return (None, source, report);
    }
    let value = T::from_node(
        &root,
        &mut Reader {
            source: &source,
            report: &mut report,
        },
    );
    (value, source, report)
}

/// Files say what they are.
pub(crate) trait OfKind {
    const KIND: &'static str;
    const OTHER: &'static str;
}

impl OfKind for Dag {
    const KIND: &'static str = "Dag";
    const OTHER: &'static str = "Pipeline";
}

impl OfKind for Pipeline {
    const KIND: &'static str = "Pipeline";
    const OTHER: &'static str = "Dag";
}

/// One error for a file of the other kind, in place of one for each of its keys.
fn other_kind<T: OfKind>(source: &Source, root: &Node) -> Option<Diagnostic> {
    let kind = root.get("kind")?;
    (kind.as_str() == Some(T::OTHER)).then(|| {
        let message = format!("expected `kind: {}`, found `kind: {}`", T::KIND, T::OTHER);
        let hint = "DAGs run; pipelines are used by their steps as `uses: pipeline/NAME`.";
        Diagnostic::new(source, kind.span, codes::KIND, message).with_hint(hint)
    })
}

/// The pipelines that a DAG may use, by name.
#[derive(Debug, Clone, Default)]
pub struct Library {
    pipelines: IndexMap<String, LibraryEntry>,
    /// What is wrong with files that cannot be used, by the pipeline's or file's name.
    broken: IndexMap<String, Diagnostics>,
}

#[derive(Debug, Clone)]
pub(crate) struct LibraryEntry {
    pub(crate) pipeline: Pipeline,
    pub(crate) source: Source,
}

impl Library {
    /// Reads pipeline files. What is wrong with one is reported by [`Library::diagnostics`], and where it is used: a
    /// broken pipeline does not stop DAGs that do without it.
    ///
    /// # Errors
    /// `spec.duplicate_pipeline` where two files give the same name.
    pub fn from_files(files: Vec<SourceFile>) -> Result<Self, Diagnostics> {
        let mut library = Self::default();
        let mut doubled = Vec::new();
        for file in files {
            let (pipeline, source, report) = read::<Pipeline>(&file);
            let name = pipeline
                .as_ref()
                .map_or_else(|| stem(&file.name), |pipeline| pipeline.name.value.0.clone());
            if let (Some(pipeline), Some(first)) = (&pipeline, library.pipelines.get(&name)) {
                let message = format!("the pipeline `{name}` is defined twice");
                let hint = format!("The other one is in {}.", first.source.name());
                doubled.push(
                    Diagnostic::new(&source, pipeline.name.span, codes::DUPLICATE_PIPELINE, message)
                        .with_hint(hint),
                );
            }
            match (pipeline, report.finish()) {
                (Some(pipeline), Ok(())) => {
                    library.pipelines.insert(name, LibraryEntry { pipeline, source });
                }
                (_, Err(diagnostics)) => {
                    library.broken.insert(name, diagnostics);
                }
                (None, Ok(())) => {}
            }
        }
        if doubled.is_empty() {
            Ok(library)
        } else {
            Err(Diagnostics(doubled))
        }
    }

    /// The names of the pipelines that can be used.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pipelines.keys().map(String::as_str)
    }

    /// A pipeline.
    #[must_use]
    pub fn pipeline(&self, name: &str) -> Option<&Pipeline> {
        self.pipelines.get(name).map(|entry| &entry.pipeline)
    }

    /// What is wrong with files that could not be read as pipelines.
    #[must_use]
    pub fn diagnostics(&self) -> Diagnostics {
        Diagnostics(
            self.broken
                .values()
                .flat_map(|diagnostics| diagnostics.0.clone())
                .collect(),
        )
    }

    pub(crate) fn entry(&self, name: &str) -> Option<&LibraryEntry> {
        self.pipelines.get(name)
    }

    pub(crate) fn broken(&self, name: &str) -> Option<&Diagnostics> {
        self.broken.get(name)
    }
}

/// A file's name without folders and extension.
fn stem(name: &str) -> String {
    let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
    base.split('.').next().unwrap_or(base).to_owned()
}
