//! Models, their versions and aliases.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use twinloom_meta::{ArtifactKind as MetaKind, EventFilter, ModelIndexRow, event};
use twinloom_store::{FeatureStore, ModelManifest, Name, Reference, Selector};
use utoipa::{IntoParams, ToSchema};

use super::{
    approvals::DecisionItem,
    datasets::{DatasetsQuery, Use, index_labels, labels_of, not_indexed, selector},
    events::EventItem,
    words::{Input, LabelItem, Producer, object},
};
use crate::{
    auth::principal::Principal,
    http::{
        extract::{Json, Path, Query},
        page::{self, Page, Paging},
        problem::Answer,
    },
    state::Shared,
};

/// A model in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModelItem {
    /// Its name.
    pub name: String,
    /// How many versions there are.
    pub versions: u64,
    /// The newest.
    pub latest: ModelVersionItem,
    /// Its aliases.
    pub aliases: Vec<LabelItem>,
}

/// A version in a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModelVersionItem {
    /// From 1.
    pub version: u64,
    /// Hash of its content.
    pub hash: String,
    /// `name@version` of the model that it sits on.
    pub base: Option<String>,
    /// Its figures.
    #[schema(value_type = Object)]
    pub metrics: Map<String, Value>,
    /// The run that made it.
    pub run: Option<String>,
    /// The task that made it.
    pub task: Option<String>,
    /// When.
    pub created_at: Timestamp,
    /// Aliases that point at it.
    pub aliases: Vec<String>,
}

impl ModelVersionItem {
    fn of(row: &ModelIndexRow, aliases: &[LabelItem]) -> Self {
        let own = aliases.iter().filter(|alias| alias.version == row.version);
        Self {
            version: row.version,
            hash: row.hash.clone(),
            base: row.base.clone(),
            metrics: object(&row.metrics),
            run: row.run.clone(),
            task: row.task.clone(),
            created_at: row.created_at,
            aliases: own.map(|alias| alias.label.clone()).collect(),
        }
    }
}

/// Models by name.
#[utoipa::path(get, path = "/models", tag = "models", operation_id = "list_models",
    params(DatasetsQuery), responses((status = 200, body = Page<ModelItem>)),
    extensions(("x-permission" = json!("read"))))]
pub async fn list(
    State(app): State<Shared>,
    Query(query): Query<DatasetsQuery>,
) -> Answer<Json<Page<ModelItem>>> {
    let limit = page::usual(query.limit)?;
    let rows = app
        .meta
        .latest_models(query.q.as_deref(), query.cursor.as_deref(), limit + 1)
        .await?;
    let names: Vec<&str> = rows.iter().map(|(row, _)| row.name.as_str()).collect();
    let mut aliases = labels_of(&app, MetaKind::Model, &names).await?;
    let item = |(row, versions): &(ModelIndexRow, u64)| {
        let aliases = aliases.remove(&row.name).unwrap_or_default();
        ModelItem {
            name: row.name.clone(),
            versions: *versions,
            latest: ModelVersionItem::of(row, &aliases),
            aliases,
        }
    };
    let items = rows.iter().map(item).collect();
    Ok(Json(Page::cut(items, limit, |item| item.name.clone())))
}

/// A model.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModelDetail {
    /// Its name.
    pub name: String,
    /// Its versions, newest first.
    pub versions: Vec<ModelVersionItem>,
    /// What to pass as `cursor` for older versions.
    pub next_cursor: Option<String>,
    /// Its aliases.
    pub aliases: Vec<LabelItem>,
    /// Moves of its aliases, newest first.
    pub history: Vec<EventItem>,
}

/// A model: versions, aliases, and how they moved.
#[utoipa::path(get, path = "/models/{model}", tag = "models", operation_id = "get_model",
    params(("model" = String, Path), Paging), responses((status = 200, body = ModelDetail)),
    extensions(("x-permission" = json!("read"))))]
pub async fn show(
    State(app): State<Shared>,
    Path(model): Path<String>,
    Query(paging): Query<Paging>,
) -> Answer<Json<ModelDetail>> {
    let limit = paging.limit()?;
    let before = page::number(paging.cursor.as_deref())?;
    let rows = app.meta.model_versions(&model, before, limit + 1).await?;
    if rows.is_empty() && before.is_none() {
        // The store knows which names are near, and holds versions that are not indexed yet.
        manifest(&app.store, &model, Selector::Latest).await?;
        return Err(not_indexed(&model));
    }
    let aliases = index_labels(&app, MetaKind::Model, &model).await?;
    let filter = EventFilter {
        kind: Some(event::ALIAS_MOVED.to_owned()),
        subject: Some(format!("{model}@")),
        before: None,
        limit: page::MOST,
    };
    let history = app.meta.events(&filter).await?;
    let items = rows
        .iter()
        .map(|row| ModelVersionItem::of(row, &aliases))
        .collect();
    let page = Page::cut(items, limit, |item: &ModelVersionItem| item.version.to_string());
    Ok(Json(ModelDetail {
        name: model,
        versions: page.items,
        next_cursor: page.next_cursor,
        aliases,
        history: history.iter().map(EventItem::from).collect(),
    }))
}

/// A file of a model.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModelFile {
    /// Its relative path.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Its hash.
    pub hash: String,
}

/// A version with all that its manifest says.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ModelVersionDetail {
    /// The model.
    pub name: String,
    /// From 1.
    pub version: u64,
    /// Hash of its content.
    pub hash: String,
    /// When it was registered.
    pub created_at: Timestamp,
    /// `name@version` of the model that it sits on.
    pub base: Option<String>,
    /// Method, architecture, hyper-parameters.
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    /// Its figures.
    #[schema(value_type = Object)]
    pub metrics: BTreeMap<String, Value>,
    /// The card, in Markdown.
    pub card: String,
    /// Its files.
    pub files: Vec<ModelFile>,
    /// Who made it.
    pub producer: Producer,
    /// What it was made from.
    pub inputs: Vec<Input>,
    /// Aliases that point at it.
    pub aliases: Vec<String>,
    /// Tasks that have it as a result.
    pub results_of: Vec<Use>,
    /// What people decided in the run that made it.
    pub decisions: Vec<DecisionItem>,
}

/// A version: card, figures, lineage, files, decisions. `version` is a number, an alias or `latest`.
#[utoipa::path(get, path = "/models/{model}/versions/{version}", tag = "models", operation_id = "get_model_version",
    params(("model" = String, Path), ("version" = String, Path)),
    responses((status = 200, body = ModelVersionDetail)),
    extensions(("x-permission" = json!("read"))))]
pub async fn version(
    State(app): State<Shared>,
    Path((model, version)): Path<(String, String)>,
) -> Answer<Json<ModelVersionDetail>> {
    let manifest = manifest(&app.store, &model, selector(&version)?).await?;
    let data = &manifest.data;
    let aliases = app.store.aliases(&data.name).await?;
    let uses = app
        .meta
        .artifact_uses(MetaKind::Model, data.name.as_str(), manifest.version, page::MOST)
        .await?;
    let decisions = if data.producer.run.is_empty() {
        Vec::new()
    } else {
        app.meta.decisions(&data.producer.run).await?
    };
    let file = |(path, blob): (&String, &twinloom_store::BlobRef)| ModelFile {
        path: path.clone(),
        bytes: blob.bytes,
        hash: blob.hash.clone(),
    };
    let own = aliases
        .into_iter()
        .filter(|(_, label)| label.version == manifest.version);
    Ok(Json(ModelVersionDetail {
        name: data.name.to_string(),
        version: manifest.version,
        hash: data.content_hash.clone(),
        created_at: manifest.created_at,
        base: data.base.as_ref().map(ToString::to_string),
        config: object(&data.config),
        metrics: data.metrics.clone(),
        card: data.card.clone(),
        files: data.files.iter().map(file).collect(),
        producer: (&data.producer).into(),
        inputs: data.inputs.iter().map(Input::from).collect(),
        aliases: own.map(|(alias, _)| alias).collect(),
        results_of: uses.iter().map(Use::from).collect(),
        decisions: decisions.iter().map(DecisionItem::from).collect(),
    }))
}

/// A move of an alias.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct MoveAlias {
    /// The version to point at.
    pub version: u64,
    /// Why, for the record; required.
    pub reason: String,
}

/// Points an alias at a version, for instance back at an earlier one.
#[utoipa::path(post, path = "/models/{model}/aliases/{alias}", tag = "models", operation_id = "move_alias",
    params(("model" = String, Path), ("alias" = String, Path)), request_body = MoveAlias,
    responses((status = 200, body = LabelItem)),
    extensions(("x-permission" = json!("approve"))))]
pub async fn move_alias(
    State(app): State<Shared>,
    who: Principal,
    Path((model, alias)): Path<(String, String)>,
    Json(body): Json<MoveAlias>,
) -> Answer<Json<LabelItem>> {
    let row = app
        .engine
        .move_alias(&model, &alias, body.version, &who.name, &body.reason)
        .await?;
    Ok(Json(row.into()))
}

/// A move of an alias back.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct RollBack {
    /// Why, for the record; required.
    pub reason: String,
}

/// Points an alias back at the version that it pointed at before.
#[utoipa::path(post, path = "/models/{model}/aliases/{alias}/rollback", tag = "models", operation_id = "roll_back_alias",
    params(("model" = String, Path), ("alias" = String, Path)), request_body = RollBack,
    responses((status = 200, body = LabelItem)),
    extensions(("x-permission" = json!("approve"))))]
pub async fn roll_back(
    State(app): State<Shared>,
    who: Principal,
    Path((model, alias)): Path<(String, String)>,
    Json(body): Json<RollBack>,
) -> Answer<Json<LabelItem>> {
    let row = app
        .engine
        .rollback_alias(&model, &alias, &who.name, &body.reason)
        .await?;
    Ok(Json(row.into()))
}

/// A figure of two versions.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FigurePair {
    /// Its name.
    pub name: String,
    /// In the first.
    #[schema(value_type = Option<Object>)]
    pub a: Option<Value>,
    /// In the second.
    #[schema(value_type = Option<Object>)]
    pub b: Option<Value>,
    /// Second less first, where both are numbers.
    pub difference: Option<f64>,
}

/// Two versions of a model side by side.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// `name@version`.
    pub a: String,
    /// `name@version`.
    pub b: String,
    /// Figures of either.
    pub metrics: Vec<FigurePair>,
    /// Configuration that differs, by path: `train.lr`.
    pub config: Vec<FigurePair>,
    /// Inputs of the first alone.
    pub inputs_a: Vec<Input>,
    /// Inputs of the second alone.
    pub inputs_b: Vec<Input>,
}

/// Which versions.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct CompareQuery {
    /// A number, an alias or `latest`.
    pub a: String,
    /// Likewise.
    pub b: String,
}

/// Compares two versions: figures, configuration, inputs.
#[utoipa::path(get, path = "/models/{model}/compare", tag = "models", operation_id = "compare_models",
    params(("model" = String, Path), CompareQuery), responses((status = 200, body = Comparison)),
    extensions(("x-permission" = json!("read"))))]
pub async fn compare(
    State(app): State<Shared>,
    Path(model): Path<String>,
    Query(query): Query<CompareQuery>,
) -> Answer<Json<Comparison>> {
    let a = manifest(&app.store, &model, selector(&query.a)?).await?;
    let b = manifest(&app.store, &model, selector(&query.b)?).await?;
    Ok(Json(side_by_side(&a, &b)))
}

/// Compares two versions by `name@version`.
///
/// # Errors
/// What the store says.
pub async fn compare_references(app: &Shared, a: &str, b: &str) -> Answer<Comparison> {
    let a = app.store.model(&a.parse()?).await?;
    let b = app.store.model(&b.parse()?).await?;
    Ok(side_by_side(&a, &b))
}

fn side_by_side(a: &ModelManifest, b: &ModelManifest) -> Comparison {
    let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
    flatten("", &a.data.config, &mut left);
    flatten("", &b.data.config, &mut right);
    let config = pairs(&left, &right)
        .into_iter()
        .filter(|pair| pair.a != pair.b)
        .collect();
    let inputs = |manifest: &ModelManifest| manifest.data.inputs.iter().map(Input::from).collect::<Vec<_>>();
    let (inputs_a, inputs_b) = (inputs(a), inputs(b));
    let alone =
        |own: &[Input], other: &[Input]| own.iter().filter(|one| !other.contains(one)).cloned().collect();
    Comparison {
        a: a.id().to_string(),
        b: b.id().to_string(),
        metrics: pairs(&a.data.metrics, &b.data.metrics),
        config,
        inputs_a: alone(&inputs_a, &inputs_b),
        inputs_b: alone(&inputs_b, &inputs_a),
    }
}

fn pairs(a: &BTreeMap<String, Value>, b: &BTreeMap<String, Value>) -> Vec<FigurePair> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let pair = |name: &String| {
        let (a, b) = (a.get(name).cloned(), b.get(name).cloned());
        let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_f64);
        FigurePair {
            name: name.clone(),
            difference: number(&b).zip(number(&a)).map(|(b, a)| b - a),
            a,
            b,
        }
    };
    names.into_iter().map(pair).collect()
}

fn flatten(path: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
    match value.as_object() {
        Some(map) => map.iter().for_each(|(key, value)| {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            flatten(&path, value, into);
        }),
        None => drop(into.insert(path.to_owned(), value.clone())),
    }
}

/// A version's manifest.
///
/// # Errors
/// What the store says.
pub async fn manifest(store: &FeatureStore, name: &str, selector: Selector) -> Answer<Arc<ModelManifest>> {
    let name = Name::new(name)?;
    Ok(store.model(&Reference { name, selector }).await?)
}
