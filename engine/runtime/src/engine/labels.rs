//! Aliases of models and tags of datasets, moved by people: each move is an event and stands in the audit log.

use serde_json::json;
use twinloom_meta::{AliasIndexRow, ArtifactKind, AuditRow, NewEvent, event};
use twinloom_store::{DatasetManifest, Label, Name, Reference, Selector};

use super::Engine;
use crate::{EngineError, index};

impl Engine {
    /// Points an alias of a model at a version. Where it points there already and the database knows, nothing happens.
    ///
    /// # Errors
    /// `alias.reason` without a reason; what the store and the database say.
    pub async fn move_alias(
        &self,
        model: &str,
        alias: &str,
        version: u64,
        by: &str,
        reason: &str,
    ) -> Result<AliasIndexRow, EngineError> {
        self.move_label(
            ArtifactKind::Model,
            model,
            alias,
            version,
            (by, "alias.move"),
            reason,
        )
        .await
    }

    /// Points an alias of a model back to where it pointed before.
    ///
    /// # Errors
    /// `alias.no_previous`, `alias.reason`; what the store and the database say.
    pub async fn rollback_alias(
        &self,
        model: &str,
        alias: &str,
        by: &str,
        reason: &str,
    ) -> Result<AliasIndexRow, EngineError> {
        let name = Name::new(model)?;
        let label = self.shared.config.store.aliases(&name).await?.remove(alias);
        let previous = label
            .and_then(|label| label.previous)
            .ok_or_else(|| EngineError::NoPrevious {
                alias: format!("{model}@{alias}"),
            })?;
        self.move_label(
            ArtifactKind::Model,
            model,
            alias,
            previous,
            (by, "alias.rollback"),
            reason,
        )
        .await
    }

    /// Gives a version of a dataset a tag.
    ///
    /// # Errors
    /// What the store and the database say.
    pub async fn tag_dataset(
        &self,
        dataset: &str,
        tag: &str,
        version: u64,
        by: &str,
        reason: &str,
    ) -> Result<AliasIndexRow, EngineError> {
        let reason = if reason.trim().is_empty() {
            "tagged"
        } else {
            reason
        };
        self.move_label(
            ArtifactKind::Dataset,
            dataset,
            tag,
            version,
            (by, "tag.move"),
            reason,
        )
        .await
    }

    /// Makes a version that was committed outside of a run (an import) known: its row of the index and its event, once.
    ///
    /// # Errors
    /// What the database says.
    pub async fn announce_dataset(&self, manifest: &DatasetManifest, by: &str) -> Result<(), EngineError> {
        let meta = &self.shared.config.meta;
        let data = &manifest.data;
        let known = meta.dataset_index(Some(data.name.as_str())).await?;
        if known.iter().any(|row| row.version == manifest.version) {
            return Ok(());
        }
        let row = index::dataset_row(manifest);
        let at = self.shared.now();
        let payload = json!({
            "name": data.name, "version": manifest.version, "hash": data.content_hash, "rows": data.rows,
            "changes": row.changes, "metrics": data.metrics, "checks": data.checks, "by": by,
        });
        let published = NewEvent {
            kind: event::DATASET_PUBLISHED.to_owned(),
            subject: manifest.id().to_string(),
            payload,
            at,
        };
        Ok(meta.apply(vec![row.into(), published.into()], &[]).await?)
    }

    async fn move_label(
        &self,
        kind: ArtifactKind,
        name: &str,
        alias: &str,
        version: u64,
        (by, action): (&str, &str),
        reason: &str,
    ) -> Result<AliasIndexRow, EngineError> {
        if reason.trim().is_empty() {
            return Err(EngineError::NoReason);
        }
        let (store, meta) = (&self.shared.config.store, &self.shared.config.meta);
        let name = Name::new(name)?;
        let reference = Reference {
            name: name.clone(),
            selector: Selector::Number(version),
        };
        let standing = match kind {
            ArtifactKind::Model => {
                store.model(&reference).await?;
                store.aliases(&name).await?.remove(alias)
            }
            ArtifactKind::Dataset => {
                store.dataset(&reference).await?;
                store.tags(&name).await?.remove(alias)
            }
        };
        let known = meta.alias_index(Some(name.as_str())).await?;
        let known = known
            .into_iter()
            .find(|row| row.kind == kind && row.alias == alias);
        let label = match standing {
            // The store may know already where a process died before the database did.
            Some(label) if label.version == version => label,
            before => {
                let label = Label {
                    version,
                    moved_at: self.shared.now(),
                    by: by.to_owned(),
                    reason: reason.to_owned(),
                    previous: before.map(|label| label.version),
                };
                match kind {
                    ArtifactKind::Model => store.set_alias(&name, alias, label.clone()).await?,
                    ArtifactKind::Dataset => store.tag(&name, alias, label.clone()).await?,
                }
                label
            }
        };
        if let Some(known) = known.filter(|row| {
            row.version == version && row.moved_at.as_microsecond() == label.moved_at.as_microsecond()
        }) {
            return Ok(known);
        }
        let row = index::label_row(kind, name.as_str(), alias, label.clone());
        let detail = json!({
            "kind": kind, "name": name, "alias": alias, "version": label.version, "previous": label.previous,
            "by": label.by, "reason": label.reason,
        });
        let (subject, at) = (format!("{name}@{alias}"), self.shared.now());
        let audit = AuditRow {
            at,
            by: by.to_owned(),
            action: action.to_owned(),
            subject: subject.clone(),
            detail: detail.clone(),
        };
        let moved = NewEvent {
            kind: event::ALIAS_MOVED.to_owned(),
            subject,
            payload: detail,
            at,
        };
        let changes = vec![row.clone().into(), audit.into(), moved.into()];
        meta.apply(changes, &[]).await?;
        Ok(row)
    }
}
