//! `twinloom dataset …`: look at versions, compare, tag, export, import.

use std::{path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, RecordBatch},
    json::LineDelimitedWriter,
    util::display::array_value_to_string,
};
use futures::TryStreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};
use twinloom_store::{
    ArtifactKind, Commit, DatasetManifest, ExportFormat, FeatureStore, Label, Lineage, Name, Producer,
    ReadOptions, Reference, StageDataset,
};

use crate::{
    account,
    app::App,
    args::{DatasetCommand, Format},
    error::CliError,
    output,
};

/// Longest cell of a table.
const CELL: usize = 60;

/// Runs the command.
///
/// # Errors
/// What the store says.
pub async fn run(app: &App, command: &DatasetCommand) -> Result<(), CliError> {
    let store = app.store().await?;
    match command {
        DatasetCommand::List => list(app, &store).await,
        DatasetCommand::Versions { name } => versions(app, &store, name).await,
        DatasetCommand::Show { reference } => show(app, manifest(&store, reference).await?.as_ref()),
        DatasetCommand::Head {
            reference,
            rows,
            columns,
        } => {
            head(
                app,
                &store,
                manifest(&store, reference).await?.as_ref(),
                *rows,
                columns.clone(),
            )
            .await
        }
        DatasetCommand::Path { reference } => path(app, &store, manifest(&store, reference).await?.as_ref()),
        DatasetCommand::Diff { from, to } => diff(app, &store, from, to).await,
        DatasetCommand::Lineage { reference } => {
            let manifest = manifest(&store, reference).await?;
            lineage(app, &store.lineage(ArtifactKind::Dataset, &manifest.id()).await?)
        }
        DatasetCommand::Tag {
            reference,
            tag,
            by,
            reason,
        } => {
            let manifest = manifest(&store, reference).await?;
            let engine = app.engine(None).await?;
            let name = manifest.data.name.as_str();
            let tagged = engine.tag_dataset(name, tag, manifest.version, by, reason).await;
            engine.shutdown().await;
            tagged?;
            done(
                app,
                &json!({ "dataset": manifest.id(), "tag": tag }),
                &format!("{} is {tag} now", manifest.id()),
            )
        }
        DatasetCommand::Export {
            reference,
            dir,
            format,
        } => {
            export(
                app,
                &store,
                manifest(&store, reference).await?.as_ref(),
                *format,
                dir,
            )
            .await
        }
        DatasetCommand::Import { name, path, keys } => import(app, &store, name, path, keys).await,
    }
}

async fn manifest(store: &FeatureStore, reference: &str) -> Result<Arc<DatasetManifest>, CliError> {
    Ok(store.dataset(&reference.parse::<Reference>()?).await?)
}

fn done(app: &App, value: &Value, words: &str) -> Result<(), CliError> {
    if app.global.json {
        return output::json(value);
    }
    output::line(words);
    Ok(())
}

async fn list(app: &App, store: &FeatureStore) -> Result<(), CliError> {
    let mut latest = Vec::new();
    for name in store.datasets().await? {
        latest.push(
            store
                .dataset(&Reference {
                    name,
                    selector: twinloom_store::Selector::Latest,
                })
                .await?,
        );
    }
    if app.global.json {
        return output::json(&latest.iter().map(|manifest| brief(manifest)).collect::<Vec<_>>());
    }
    if latest.is_empty() {
        output::say(
            "There are no datasets yet: `twinloom run FILE` makes some, `twinloom dataset import` takes yours.",
        );
        return Ok(());
    }
    let now = Timestamp::now();
    let row = |manifest: &Arc<DatasetManifest>| {
        vec![
            manifest.data.name.to_string(),
            manifest.version.to_string(),
            output::count(manifest.data.rows),
            output::bytes(manifest.data.bytes),
            output::ago(manifest.created_at, now),
            manifest.data.producer.operator.clone(),
        ]
    };
    output::table(
        &["dataset", "version", "rows", "size", "made", "by"],
        &latest.iter().map(row).collect::<Vec<_>>(),
    );
    Ok(())
}

fn brief(manifest: &DatasetManifest) -> Value {
    let data = &manifest.data;
    json!({
        "name": data.name, "version": manifest.version, "hash": data.content_hash, "rows": data.rows, "bytes": data.bytes,
        "created_at": manifest.created_at, "changes": data.changes, "producer": data.producer,
    })
}

async fn versions(app: &App, store: &FeatureStore, name: &str) -> Result<(), CliError> {
    let name = Name::new(name)?;
    let tags = store.tags(&name).await?;
    let mut manifests = Vec::new();
    for version in store.dataset_versions(&name).await?.into_iter().rev() {
        let selector = twinloom_store::Selector::Number(version);
        manifests.push(
            store
                .dataset(&Reference {
                    name: name.clone(),
                    selector,
                })
                .await?,
        );
    }
    if manifests.is_empty() {
        // The store knows what names are near.
        store
            .dataset(&Reference {
                name,
                selector: twinloom_store::Selector::Latest,
            })
            .await?;
        return Ok(());
    }
    if app.global.json {
        return output::json(
            &manifests
                .iter()
                .map(|manifest| brief(manifest))
                .collect::<Vec<_>>(),
        );
    }
    let row = |manifest: &Arc<DatasetManifest>| {
        let at = |(tag, label): (&String, &Label)| (label.version == manifest.version).then(|| tag.clone());
        let changes = manifest.data.changes.unwrap_or_default();
        vec![
            manifest.version.to_string(),
            output::count(manifest.data.rows),
            format!("+{} ~{} -{}", changes.added, changes.changed, changes.removed),
            output::time(manifest.created_at),
            manifest.data.producer.run.clone(),
            tags.iter().filter_map(at).collect::<Vec<_>>().join(" "),
        ]
    };
    output::table(
        &["version", "rows", "changes", "made", "run", "tags"],
        &manifests.iter().map(row).collect::<Vec<_>>(),
    );
    Ok(())
}

fn show(app: &App, manifest: &DatasetManifest) -> Result<(), CliError> {
    if app.global.json {
        return output::json(manifest);
    }
    let (data, made) = (&manifest.data, &manifest.data.producer);
    output::line(&format!("{}  {}", manifest.id(), data.content_hash));
    output::line(&format!(
        "{} rows, {} in {} parts, made {} by {} {} (run {}, task {})",
        output::count(data.rows),
        output::bytes(data.bytes),
        data.parts.len(),
        output::time(manifest.created_at),
        made.operator,
        made.operator_version,
        made.run,
        made.task,
    ));
    for input in &data.inputs {
        output::line(&format!("from {} ({})", input.id, input.port));
    }
    if !data.keys.is_empty() {
        output::line(&format!("keys {}", data.keys.join(", ")));
    }
    output::line("");
    let schema = FeatureStore::schema_of(manifest)?;
    let row = |field: &Arc<arrow::datatypes::Field>| {
        let stats = data.columns.get(field.name());
        let text = |value: Option<&String>| value.map(|value| output::cut(value, 32)).unwrap_or_default();
        vec![
            field.name().clone(),
            field.data_type().to_string(),
            stats.map(|stats| output::count(stats.nulls)).unwrap_or_default(),
            text(stats.and_then(|stats| stats.min.as_ref())),
            text(stats.and_then(|stats| stats.max.as_ref())),
        ]
    };
    output::table(
        &["column", "type", "nulls", "min", "max"],
        &schema.fields().iter().map(row).collect::<Vec<_>>(),
    );
    Ok(())
}

async fn head(
    app: &App,
    store: &FeatureStore,
    manifest: &DatasetManifest,
    rows: usize,
    columns: Option<Vec<String>>,
) -> Result<(), CliError> {
    let options = ReadOptions {
        limit: Some(rows),
        columns,
        ..ReadOptions::default()
    };
    let batches: Vec<RecordBatch> = store.read(manifest, options).try_collect().await?;
    let batches = batches
        .iter()
        .map(twinloom_store::printable)
        .collect::<Result<Vec<_>, _>>()?;
    if app.global.json {
        let mut text = Vec::new();
        let mut writer = LineDelimitedWriter::new(&mut text);
        for batch in &batches {
            writer.write(batch).map_err(not_shown)?;
        }
        writer.finish().map_err(not_shown)?;
        output::line(String::from_utf8_lossy(&text).trim_end());
        return Ok(());
    }
    let Some(first) = batches.first() else {
        output::say("There are no rows.");
        return Ok(());
    };
    let schema = first.schema();
    let titles: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let mut cells = Vec::new();
    for batch in &batches {
        for row in 0..batch.num_rows() {
            let cell = |column: &ArrayRef| {
                array_value_to_string(column, row)
                    .map(|text| output::cut(&text, CELL))
                    .map_err(not_shown)
            };
            cells.push(batch.columns().iter().map(cell).collect::<Result<Vec<_>, _>>()?);
        }
    }
    output::table(&titles, &cells);
    Ok(())
}

fn not_shown(error: arrow::error::ArrowError) -> CliError {
    CliError::failed(
        "dataset.display",
        error,
        "Export it and look at it with another tool.",
    )
}

fn path(app: &App, store: &FeatureStore, manifest: &DatasetManifest) -> Result<(), CliError> {
    let paths = store.paths(manifest);
    if app.global.json {
        return output::json(&paths);
    }
    paths.iter().for_each(|path| output::line(path));
    Ok(())
}

async fn diff(app: &App, store: &FeatureStore, from: &str, to: &str) -> Result<(), CliError> {
    let (from, to) = (manifest(store, from).await?, manifest(store, to).await?);
    let diff = store.diff(&from, &to).await?;
    if app.global.json {
        return output::json(&json!({ "from": from.id(), "to": to.id(), "diff": diff }));
    }
    for (sign, keys) in [("+", &diff.added), ("~", &diff.changed), ("-", &diff.removed)] {
        keys.iter().for_each(|key| output::line(&format!("{sign} {key}")));
    }
    let (added, changed, removed) = (diff.added.len(), diff.changed.len(), diff.removed.len());
    output::say(&format!(
        "{} to {}: {added} added, {changed} changed, {removed} removed",
        from.id(),
        to.id()
    ));
    Ok(())
}

/// Prints lineage both ways.
///
/// # Errors
/// Never, but for JSON.
pub fn lineage(app: &App, lineage: &Lineage) -> Result<(), CliError> {
    if app.global.json {
        return output::json(lineage);
    }
    for edge in &lineage.edges {
        output::line(&format!("{} -> {}", edge.from, edge.to));
    }
    Ok(())
}

async fn export(
    app: &App,
    store: &FeatureStore,
    manifest: &DatasetManifest,
    format: Format,
    dir: &Path,
) -> Result<(), CliError> {
    let format = match format {
        Format::Parquet => ExportFormat::Parquet,
        Format::Jsonl => ExportFormat::Jsonl,
        Format::Arrow => ExportFormat::ArrowIpc,
    };
    let report = store.export_dataset(manifest, format, dir).await?;
    let words = format!("{} exported to {}", manifest.id(), dir.display());
    done(app, &serde_json::to_value(&report)?, &words)
}

async fn import(
    app: &App,
    store: &FeatureStore,
    name: &str,
    path: &Path,
    keys: &[String],
) -> Result<(), CliError> {
    let spec = StageDataset {
        name: Name::new(name)?,
        schema: Arc::new(arrow::datatypes::Schema::empty()),
        keys: keys.to_vec(),
        producer: Producer {
            operator: "import".to_owned(),
            ..Producer::default()
        },
        inputs: Vec::new(),
    };
    let staged = store.import_dataset(spec, path).await?;
    let commit = Commit {
        task_key: None,
        not_before: None,
        now: Timestamp::now(),
    };
    let committed = store.commit_dataset(staged, commit).await?;
    // As an event as well: triggers wait for versions, whoever made them.
    let engine = app.engine(None).await?;
    let announced = engine
        .announce_dataset(&committed.manifest, &account::name())
        .await;
    engine.shutdown().await;
    announced?;
    let id = committed.manifest.id();
    let words = format!("{id}: {} rows", output::count(committed.manifest.data.rows));
    done(
        app,
        &json!({ "dataset": id, "outcome": committed.outcome }),
        &words,
    )
}
