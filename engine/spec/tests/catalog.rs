//! A few operators to check files against.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde_json::{Map, Value};
use twinloom_spec::{
    Catalog, ColumnSignature, Diagnostics, Library, OperatorSignature, Plan, PortKind, PortSignature,
    SourceFile,
};

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schemars(deny_unknown_fields)]
struct Scrape {
    /// Where documents come from.
    sources: Vec<ScrapeSource>,
    /// Who wrote them.
    author: Option<String>,
    /// At most so many.
    limit: Option<u32>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schemars(tag = "kind", rename_all = "snake_case")]
enum ScrapeSource {
    /// A repository.
    Git { url: String },
    /// A folder.
    Folder {
        path: String,
        category: Option<Category>,
    },
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schemars(rename_all = "snake_case")]
enum Category {
    Article,
    Post,
    Code,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schemars(deny_unknown_fields)]
struct Train {
    rank: Option<u32>,
    lr: Option<f64>,
    note: Option<Value>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[schemars(deny_unknown_fields)]
struct Command {
    argv: Vec<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Nothing {}

pub struct Operators(Vec<OperatorSignature>);

impl Catalog for Operators {
    fn operator(&self, name: &str) -> Option<&OperatorSignature> {
        self.0.iter().find(|operator| operator.name == name)
    }

    fn names(&self) -> Vec<&str> {
        self.0.iter().map(|operator| operator.name.as_str()).collect()
    }
}

fn port(name: &str, kind: PortKind, columns: &[(&str, &str)]) -> PortSignature {
    let columns = columns
        .iter()
        .map(|(name, data_type)| ColumnSignature {
            name: (*name).to_owned(),
            data_type: (*data_type).to_owned(),
        })
        .collect();
    PortSignature {
        name: name.to_owned(),
        kind,
        doc: String::new(),
        columns,
        optional: false,
        many: false,
    }
}

fn operator<C: JsonSchema>(
    name: &str,
    inputs: Vec<PortSignature>,
    outputs: Vec<PortSignature>,
) -> OperatorSignature {
    OperatorSignature {
        name: name.to_owned(),
        version: "1".to_owned(),
        summary: String::new(),
        config_schema: schemars::schema_for!(C).into(),
        inputs,
        outputs,
        open_ports: false,
    }
}

/// The operators, made once.
pub fn operators() -> &'static Operators {
    static OPERATORS: LazyLock<Operators> = LazyLock::new(make_operators);
    &OPERATORS
}

fn make_operators() -> Operators {
    use PortKind::{Dataset, Model};
    let documents = [("id", "Utf8"), ("text", "Utf8")];
    let chunks = [("document_id", "Utf8"), ("text", "Utf8")];
    let embedded = [
        ("document_id", "Utf8"),
        ("text", "Utf8"),
        ("vector", "FixedSizeList(384 x Float32)"),
    ];
    let optional = |port: PortSignature| PortSignature {
        optional: true,
        ..port
    };
    let many = |port: PortSignature| PortSignature { many: true, ..port };
    Operators(vec![
        operator::<Scrape>("scrape", vec![], vec![port("documents", Dataset, &documents)]),
        operator::<Nothing>(
            "clean",
            vec![port("documents", Dataset, &documents)],
            vec![port("documents", Dataset, &documents)],
        ),
        operator::<Nothing>(
            "chunk",
            vec![port("documents", Dataset, &documents)],
            vec![port("chunks", Dataset, &chunks)],
        ),
        operator::<Nothing>(
            "embed",
            vec![port("chunks", Dataset, &chunks)],
            vec![port("chunks", Dataset, &embedded)],
        ),
        operator::<Nothing>(
            "index",
            vec![port("chunks", Dataset, &[("vector", "Vector"), ("text", "Utf8")])],
            vec![port("state", Dataset, &[])],
        ),
        operator::<Nothing>(
            "merge",
            vec![many(port("documents", Dataset, &documents))],
            vec![port("documents", Dataset, &documents)],
        ),
        operator::<Train>(
            "train",
            vec![
                port("documents", Dataset, &documents),
                optional(port("base", Model, &[])),
            ],
            vec![port("model", Model, &[])],
        ),
        operator::<Nothing>(
            "evaluate",
            vec![port("model", Model, &[])],
            vec![port("report", Dataset, &[("passed", "Boolean")])],
        ),
        operator::<Nothing>(
            "promote",
            vec![
                port("model", Model, &[]),
                optional(port("report", Dataset, &[("score", "Float64")])),
            ],
            vec![],
        ),
        OperatorSignature {
            open_ports: true,
            ..operator::<Command>("command", vec![], vec![])
        },
    ])
}

/// The pipelines in `tests/pipelines`, read once.
pub fn library() -> &'static Library {
    static LIBRARY: LazyLock<Library> = LazyLock::new(read_library);
    &LIBRARY
}

fn read_library() -> Library {
    let mut paths: Vec<_> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pipelines"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let name = format!("pipelines/{}", path.file_name().unwrap().to_string_lossy());
        SourceFile::new(name, std::fs::read_to_string(path).unwrap())
    };
    Library::from_files(paths.iter().map(read).collect()).unwrap()
}

/// The plan of `steps:` and whatever else a DAG holds, its head left out.
pub fn plan_of(body: &str, params: &Value) -> Result<Plan, Diagnostics> {
    let text = format!("apiVersion: twinloom/v1\nkind: Dag\nname: demo\n{body}");
    let params = params.as_object().cloned().unwrap_or_else(Map::new);
    twinloom_spec::plan(
        &SourceFile::new("demo.yaml", text),
        library(),
        operators(),
        &params,
    )
}
