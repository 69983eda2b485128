//! Schemas of the rows that the operators hand each other, and ports that carry them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use twinloom_spec::{ColumnSignature, PortKind, PortSignature};

/// What a document is; cleaning and chunking differ by it.
pub const CATEGORIES: [&str; 3] = ["article", "post", "code"];

fn utf8(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

fn time(name: &str) -> Field {
    Field::new(
        name,
        DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        true,
    )
}

/// Columns that describe a document wherever it goes: category (article, post, code), platform (host or `git`),
/// author, link, title.
fn about() -> Vec<Field> {
    vec![
        utf8("category", false),
        utf8("platform", false),
        utf8("author", true),
        utf8("link", true),
        utf8("title", true),
    ]
}

/// `raw_documents`: one row a document, key `id` (stable for the same source and link), text as it was found.
#[must_use]
pub fn raw_documents() -> SchemaRef {
    let mut fields = vec![utf8("id", false)];
    fields.extend(about());
    // `format`: markdown, html, text or code; `metadata`: a JSON object (repository, path, subtitle, image).
    fields.extend([
        utf8("format", false),
        utf8("text", false),
        time("published_at"),
        time("updated_at"),
        utf8("metadata", true),
    ]);
    Arc::new(Schema::new(fields))
}

/// `cleaned_documents`: the same documents without site chrome, key `id`; `language` is ISO 639-3 where found, the
/// programming language for code.
#[must_use]
pub fn cleaned_documents() -> SchemaRef {
    let mut fields = vec![utf8("id", false)];
    fields.extend(about());
    fields.extend([
        utf8("text", false),
        utf8("language", true),
        time("published_at"),
        time("updated_at"),
        utf8("metadata", true),
    ]);
    Arc::new(Schema::new(fields))
}

fn chunk_fields() -> Vec<Field> {
    let mut fields = vec![
        utf8("document_id", false),
        Field::new("chunk", DataType::Int32, false),
    ];
    fields.extend(about());
    // `section`: the headings above, joined by " > "; `start` and `end`: byte offsets in the cleaned text.
    fields.extend([
        utf8("section", true),
        utf8("text", false),
        Field::new("start", DataType::Int64, false),
        Field::new("end", DataType::Int64, false),
    ]);
    fields
}

/// `chunks`: keys `document_id`, `chunk` (from 0); together they hold the whole cleaned text.
#[must_use]
pub fn chunks() -> SchemaRef {
    Arc::new(Schema::new(chunk_fields()))
}

/// `embedded_chunks`: chunks with `vector`, unit length, `dimension` values.
#[must_use]
pub fn embedded_chunks(dimension: i32) -> SchemaRef {
    let mut fields = chunk_fields();
    fields.push(vector_field(dimension));
    Arc::new(Schema::new(fields))
}

/// The vector column: `FixedSizeList<Float32, dimension>`.
#[must_use]
pub fn vector_field(dimension: i32) -> Field {
    Field::new(
        "vector",
        DataType::FixedSizeList(Arc::new(Field::new("item", DataType::Float32, false)), dimension),
        false,
    )
}

/// `instruct`: keys `document_id`, `sample` (from 0). `answer` is the author's own text; `split` is `train` or
/// `eval`, the same for all samples of a document.
#[must_use]
pub fn instruct() -> SchemaRef {
    Arc::new(Schema::new(vec![
        utf8("document_id", false),
        Field::new("sample", DataType::Int32, false),
        utf8("category", false),
        utf8("author", true),
        utf8("instruction", false),
        utf8("answer", false),
        utf8("split", false),
    ]))
}

/// `preferences`: keys `prompt`, `chosen`. Two answers to a prompt, the better one first; `split` is `train` or `eval`.
#[must_use]
pub fn preferences() -> SchemaRef {
    Arc::new(Schema::new(vec![
        utf8("prompt", false),
        utf8("chosen", false),
        utf8("rejected", false),
        utf8("split", false),
    ]))
}

/// `report` of evaluate: keys `metric`, `subject` (candidate, base, production, difference); figures with intervals,
/// and the gate's verdict on those that have a threshold. `evidence` is a JSON object.
#[must_use]
pub fn report() -> SchemaRef {
    Arc::new(Schema::new(vec![
        utf8("metric", false),
        utf8("subject", false),
        Field::new("value", DataType::Float64, false),
        Field::new("low", DataType::Float64, true),
        Field::new("high", DataType::Float64, true),
        Field::new("threshold", DataType::Float64, true),
        Field::new("passed", DataType::Boolean, true),
        utf8("evidence", true),
    ]))
}

/// A dataset input that needs the columns of `schema` named in `needs` (all where `needs` is empty).
#[must_use]
pub fn dataset_in(name: &str, doc: &str, schema: &Schema, needs: &[&str]) -> PortSignature {
    let wanted = |field: &&Arc<Field>| needs.is_empty() || needs.contains(&field.name().as_str());
    port(
        name,
        doc,
        PortKind::Dataset,
        schema.fields().iter().filter(wanted).map(|f| column(f)).collect(),
    )
}

/// A dataset output with the columns of `schema`.
#[must_use]
pub fn dataset_out(name: &str, doc: &str, schema: &Schema) -> PortSignature {
    port(
        name,
        doc,
        PortKind::Dataset,
        schema.fields().iter().map(|f| column(f)).collect(),
    )
}

/// A dataset port of any schema.
#[must_use]
pub fn any_dataset(name: &str, doc: &str) -> PortSignature {
    port(name, doc, PortKind::Dataset, Vec::new())
}

/// A model port.
#[must_use]
pub fn model_port(name: &str, doc: &str) -> PortSignature {
    port(name, doc, PortKind::Model, Vec::new())
}

/// The same port, but it may be left out.
#[must_use]
pub fn optional(port: PortSignature) -> PortSignature {
    PortSignature {
        optional: true,
        ..port
    }
}

/// The same port, but it takes several artifacts.
#[must_use]
pub fn many(port: PortSignature) -> PortSignature {
    PortSignature { many: true, ..port }
}

fn port(name: &str, doc: &str, kind: PortKind, columns: Vec<ColumnSignature>) -> PortSignature {
    PortSignature {
        name: name.to_owned(),
        kind,
        doc: doc.to_owned(),
        columns,
        optional: false,
        many: false,
    }
}

fn column(field: &Field) -> ColumnSignature {
    // A vector's dimension is the embedder's business: ports agree on the kind of list only.
    let data_type = match field.data_type() {
        DataType::FixedSizeList(..) => "Vector".to_owned(),
        other => other.to_string(),
    };
    ColumnSignature {
        name: field.name().clone(),
        data_type,
    }
}
