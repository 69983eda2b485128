//! The language: validation, schema, operators.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_runtime::TaskPreview;
use twinloom_spec::{Catalog, Library, SourceFile};
use utoipa::ToSchema;

use super::words::DiagnosticItem;
use crate::{
    http::{extract::Json, page::Page, problem::Answer},
    state::Shared,
};

/// A text to check.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ValidateRequest {
    /// The text of a DAG or pipeline file.
    pub text: String,
    /// What messages call the file.
    pub name: Option<String>,
    /// Parameters of a run: with them, a plan is made.
    #[schema(value_type = Option<Object>)]
    pub params: Option<Map<String, Value>>,
}

/// What was found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ValidateAnswer {
    /// Whether nothing is wrong.
    pub valid: bool,
    /// What is wrong, in the order of the text.
    pub diagnostics: Vec<DiagnosticItem>,
    /// What a run would do, where parameters were given and nothing is wrong.
    pub plan: Option<Vec<PlanItem>>,
}

/// What a task would do.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PlanItem {
    /// The task.
    pub task: String,
    /// Its step.
    pub step: String,
    /// Its operator.
    pub operator: String,
    /// `run`, `cached`, `skip`, `unknown`.
    pub would: String,
    /// Why.
    pub why: String,
    /// The tasks that it needs.
    pub needs: Vec<String>,
}

/// Checks a text as one types, and plans a run where parameters are given.
#[utoipa::path(post, path = "/validate", tag = "spec", operation_id = "validate",
    request_body = ValidateRequest, responses((status = 200, body = ValidateAnswer)),
    extensions(("x-permission" = json!("read"))))]
pub async fn validate(
    State(app): State<Shared>,
    Json(body): Json<ValidateRequest>,
) -> Answer<Json<ValidateAnswer>> {
    let library = app.pipelines();
    let registry = std::sync::Arc::clone(&app.registry);
    let params = body.params.clone();
    let checked = tokio::task::spawn_blocking(move || {
        let file = SourceFile::new(body.name.unwrap_or_else(|| "dag.yaml".to_owned()), body.text);
        check(&file, &library, registry.as_ref(), params.as_ref())
    });
    let checked = checked.await.map_err(crate::http::problem::Problem::internal)?;
    let plan = match checked {
        Err(found) => {
            return Ok(Json(ValidateAnswer {
                valid: false,
                diagnostics: found.0.iter().map(DiagnosticItem::from).collect(),
                plan: None,
            }));
        }
        Ok(None) => None,
        Ok(Some(plan)) => {
            let previews = app.engine.plan_preview(&plan).await?;
            let needs = |task: &str| {
                plan.tasks
                    .iter()
                    .find(|one| one.id == task)
                    .map(|one| one.needs.clone())
            };
            Some(
                previews
                    .into_iter()
                    .map(|preview| PlanItem {
                        needs: needs(&preview.task).unwrap_or_default(),
                        ..preview.into()
                    })
                    .collect(),
            )
        }
    };
    Ok(Json(ValidateAnswer {
        valid: true,
        diagnostics: Vec::new(),
        plan,
    }))
}

fn check(
    file: &SourceFile,
    library: &Library,
    catalog: &dyn Catalog,
    params: Option<&Map<String, Value>>,
) -> Result<Option<twinloom_spec::Plan>, twinloom_spec::Diagnostics> {
    if twinloom_spec::kind_of(file).as_deref() == Some("Pipeline") {
        return twinloom_spec::validate_pipeline(file, library, catalog).map(|_| None);
    }
    match params {
        Some(params) => twinloom_spec::plan(file, library, catalog, params).map(Some),
        None => twinloom_spec::validate(file, library, catalog).map(|_| None),
    }
}

impl From<TaskPreview> for PlanItem {
    fn from(preview: TaskPreview) -> Self {
        let would = serde_json::to_value(preview.would).ok();
        Self {
            task: preview.task,
            step: preview.step,
            operator: preview.operator,
            would: would
                .and_then(|word| Some(word.as_str()?.to_owned()))
                .unwrap_or_default(),
            why: preview.why,
            needs: Vec::new(),
        }
    }
}

/// The JSON Schema of DAG files, for the editor.
#[utoipa::path(get, path = "/schema/dag", tag = "spec", operation_id = "dag_schema",
    responses((status = 200, body = Object)),
    extensions(("x-permission" = json!("read"))))]
pub async fn dag_schema() -> Json<Value> {
    Json(twinloom_spec::json_schema())
}

/// An operator.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct OperatorItem {
    /// The name after `uses:`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    pub summary: String,
    /// JSON Schema of `with:`.
    #[schema(value_type = Object)]
    pub config_schema: Value,
    /// Inputs.
    pub inputs: Vec<PortItem>,
    /// Outputs.
    pub outputs: Vec<PortItem>,
    /// Whether `in:` and `out:` may name other ports.
    pub open_ports: bool,
}

/// A port of an operator.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PortItem {
    /// Its name.
    pub name: String,
    /// `dataset` or `model`.
    pub kind: super::words::ArtifactKind,
    /// One sentence.
    pub doc: String,
    /// Columns that it needs or has; empty: any.
    pub columns: Vec<ColumnItem>,
    /// Whether it may be left out.
    pub optional: bool,
    /// Whether it takes several artifacts.
    pub many: bool,
}

/// A column.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ColumnItem {
    /// Its name.
    pub name: String,
    /// Its Arrow type.
    pub data_type: String,
}

impl From<&twinloom_spec::PortSignature> for PortItem {
    fn from(port: &twinloom_spec::PortSignature) -> Self {
        let column = |column: &twinloom_spec::ColumnSignature| ColumnItem {
            name: column.name.clone(),
            data_type: column.data_type.clone(),
        };
        Self {
            name: port.name.clone(),
            kind: match port.kind {
                twinloom_spec::PortKind::Dataset => super::words::ArtifactKind::Dataset,
                twinloom_spec::PortKind::Model => super::words::ArtifactKind::Model,
            },
            doc: port.doc.clone(),
            columns: port.columns.iter().map(column).collect(),
            optional: port.optional,
            many: port.many,
        }
    }
}

/// The operators of this build.
#[utoipa::path(get, path = "/operators", tag = "spec", operation_id = "list_operators",
    responses((status = 200, body = Page<OperatorItem>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn operators(State(app): State<Shared>) -> Json<Page<OperatorItem>> {
    let names = app.registry.names();
    let signatures = names.into_iter().filter_map(|name| app.registry.operator(name));
    let items = signatures.map(|one| OperatorItem {
        name: one.name.clone(),
        version: one.version.clone(),
        summary: one.summary.clone(),
        config_schema: one.config_schema.clone(),
        inputs: one.inputs.iter().map(PortItem::from).collect(),
        outputs: one.outputs.iter().map(PortItem::from).collect(),
        open_ports: one.open_ports,
    });
    Json(Page::whole(items.collect()))
}
