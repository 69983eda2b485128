//! `twinloom model …`: versions, aliases, cards.

mod export;

use std::{path::Path, sync::Arc};

use serde_json::json;
use twinloom_meta::AliasIndexRow;
use twinloom_runtime::reports;
use twinloom_store::{FeatureStore, Label, ModelManifest, Name, Reference, Selector};

use crate::{app::App, args::ModelCommand, error::CliError, output};

/// Runs the command.
///
/// # Errors
/// What the store says.
pub async fn run(app: &App, command: &ModelCommand) -> Result<(), CliError> {
    let store = app.store().await?;
    match command {
        ModelCommand::List => list(app, &store).await,
        ModelCommand::Versions { name } => versions(app, &store, name).await,
        ModelCommand::Show { reference } => show(app, &store, reference).await,
        ModelCommand::Checkout { reference, dir } => {
            let manifest = store.model(&reference.parse()?).await?;
            store.checkout_model(&manifest, dir).await?;
            output::line(&dir.display().to_string());
            Ok(())
        }
        ModelCommand::Report { reference, out } => report(app, &store, reference, out.as_deref()).await,
        ModelCommand::Export {
            reference,
            dir,
            merged,
        } => export::run(app, &store, reference, dir, *merged).await,
        ModelCommand::Alias {
            reference,
            alias,
            by,
            reason,
        } => move_alias(app, &store, reference, alias, by.as_deref(), reason).await,
        ModelCommand::Rollback {
            name,
            alias,
            by,
            reason,
        } => roll_back(app, name, alias, by.as_deref(), reason).await,
    }
}

async fn list(app: &App, store: &FeatureStore) -> Result<(), CliError> {
    let mut models = Vec::new();
    for name in store.models().await? {
        let latest = store
            .model(&Reference {
                name: name.clone(),
                selector: Selector::Latest,
            })
            .await?;
        models.push((latest, store.aliases(&name).await?));
    }
    if app.global.json {
        let value = |(latest, aliases): &(Arc<ModelManifest>, _)| json!({ "name": latest.data.name, "latest": latest.version, "aliases": aliases });
        return output::json(&models.iter().map(value).collect::<Vec<_>>());
    }
    if models.is_empty() {
        output::say("There are no models yet: `twinloom run dags/twin.yaml` trains one.");
        return Ok(());
    }
    let row = |(latest, aliases): &(Arc<ModelManifest>, std::collections::BTreeMap<String, Label>)| {
        let aliases: Vec<_> = aliases
            .iter()
            .map(|(alias, label)| format!("{alias}={}", label.version))
            .collect();
        let base = latest
            .data
            .base
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        vec![
            latest.data.name.to_string(),
            latest.version.to_string(),
            aliases.join(" "),
            base,
        ]
    };
    output::table(
        &["model", "latest", "aliases", "base"],
        &models.iter().map(row).collect::<Vec<_>>(),
    );
    Ok(())
}

async fn versions(app: &App, store: &FeatureStore, name: &str) -> Result<(), CliError> {
    let name = Name::new(name)?;
    let mut manifests = Vec::new();
    for version in store.model_versions(&name).await?.into_iter().rev() {
        manifests.push(
            store
                .model(&Reference {
                    name: name.clone(),
                    selector: Selector::Number(version),
                })
                .await?,
        );
    }
    if app.global.json {
        return output::json(&manifests);
    }
    let aliases = store.aliases(&name).await?;
    let row = |manifest: &Arc<ModelManifest>| {
        let at =
            |(alias, label): (&String, &Label)| (label.version == manifest.version).then(|| alias.clone());
        vec![
            manifest.version.to_string(),
            output::time(manifest.created_at),
            manifest.data.producer.run.clone(),
            aliases.iter().filter_map(at).collect::<Vec<_>>().join(" "),
        ]
    };
    output::table(
        &["version", "made", "run", "aliases"],
        &manifests.iter().map(row).collect::<Vec<_>>(),
    );
    Ok(())
}

async fn show(app: &App, store: &FeatureStore, reference: &str) -> Result<(), CliError> {
    let manifest = store.model(&reference.parse()?).await?;
    let aliases = store.aliases(&manifest.data.name).await?;
    if app.global.json {
        let mut value = serde_json::to_value(&*manifest)?;
        let at =
            |(alias, label): (&String, &Label)| (label.version == manifest.version).then(|| alias.clone());
        value["aliases"] = json!(aliases.iter().filter_map(at).collect::<Vec<_>>());
        return output::json(&value);
    }
    let (data, made) = (&manifest.data, &manifest.data.producer);
    output::line(&format!("{}  {}", manifest.id(), data.content_hash));
    output::line(&format!(
        "made {} by {} (run {}, task {})",
        output::time(manifest.created_at),
        made.operator,
        made.run,
        made.task
    ));
    if let Some(base) = &data.base {
        output::line(&format!("on {base}"));
    }
    for input in &data.inputs {
        output::line(&format!("from {} ({})", input.id, input.port));
    }
    for (alias, label) in aliases
        .iter()
        .filter(|(_, label)| label.version == manifest.version)
    {
        output::line(&format!(
            "{alias} since {} by {}: {}",
            output::time(label.moved_at),
            label.by,
            label.reason
        ));
    }
    let files = data
        .files
        .iter()
        .map(|(path, blob)| vec![path.clone(), output::bytes(blob.bytes)])
        .collect::<Vec<_>>();
    output::line("");
    output::table(&["file", "size"], &files);
    output::line(&format!("\n{}", data.card.trim_end()));
    Ok(())
}

async fn report(
    app: &App,
    store: &FeatureStore,
    reference: &str,
    out: Option<&Path>,
) -> Result<(), CliError> {
    let manifest = store.model(&reference.parse()?).await?;
    let missing = || {
        CliError::not_found(
            "report.not_found",
            format!("there is no report on {}", manifest.id()),
            "An `evaluate` step with this version as its `candidate` makes one.",
        )
    };
    let id = reports::find(store, &manifest).await?.ok_or_else(missing)?;
    let files = reports::read(store, &id).await?;
    let of = |media_type: &str| files.iter().find(|file| file.media_type == media_type);
    if app.global.json && out.is_none() {
        let file = of("application/json").ok_or_else(missing)?;
        return output::json(&serde_json::from_str::<serde_json::Value>(&file.content)?);
    }
    let page = of("text/html").ok_or_else(missing)?;
    let named = format!("{}-{}.html", manifest.data.name, manifest.version);
    let path = out.unwrap_or_else(|| Path::new(&named));
    std::fs::write(path, &page.content)?;
    if app.global.json {
        return output::json(&json!({ "report": id, "file": path }));
    }
    output::line(&path.display().to_string());
    Ok(())
}

async fn move_alias(
    app: &App,
    store: &FeatureStore,
    reference: &str,
    alias: &str,
    by: Option<&str>,
    reason: &str,
) -> Result<(), CliError> {
    let by = named(by)?;
    let manifest = store.model(&reference.parse()?).await?;
    let name = manifest.data.name.as_str();
    let engine = app.engine(None).await?;
    let moved = engine.move_alias(name, alias, manifest.version, by, reason).await;
    engine.shutdown().await;
    moved_to(app, &moved?)
}

async fn roll_back(
    app: &App,
    name: &str,
    alias: &str,
    by: Option<&str>,
    reason: &str,
) -> Result<(), CliError> {
    let by = named(by)?;
    let engine = app.engine(None).await?;
    let moved = engine.rollback_alias(name, alias, by, reason).await;
    engine.shutdown().await;
    moved_to(app, &moved?)
}

/// Whoever moves an alias stands in the record.
fn named(by: Option<&str>) -> Result<&str, CliError> {
    by.ok_or_else(|| CliError::usage("model.as", "nobody is named who does this", "Add --as NAME."))
}

fn moved_to(app: &App, row: &AliasIndexRow) -> Result<(), CliError> {
    let (name, alias, version) = (&row.name, &row.alias, row.version);
    if app.global.json {
        return output::json(&json!({
            "model": name, "alias": alias, "version": version, "previous": row.previous, "by": row.by,
            "reason": row.reason,
        }));
    }
    let from = row
        .previous
        .map(|version| format!(" (was {version})"))
        .unwrap_or_default();
    output::line(&format!("{name}@{alias} is version {version} now{from}"));
    Ok(())
}
