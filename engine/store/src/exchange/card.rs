//! The dataset card: Hugging Face's front matter, and what a person wants to know.

use std::fmt::Write;

use crate::{DatasetManifest, StoreError, schema_from_json};

/// The text of `README.md`.
pub(super) fn render(manifest: &DatasetManifest) -> Result<String, StoreError> {
    let data = &manifest.data;
    let schema = schema_from_json(&data.schema)?;
    let mut text = String::from(
        "---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/*.parquet\n",
    );
    let mut add = |line: String| {
        text.push_str(&line);
        text.push('\n');
    };
    add(format!(
        "dataset_info:\n  splits:\n  - name: train\n    num_examples: {}",
        data.rows
    ));
    add(format!("  dataset_size: {}\n---\n", data.bytes));
    add(format!("# {}\n", data.name));
    add(format!(
        "Version {} of {}, exported by Twinloom.\n",
        manifest.version, manifest.created_at
    ));
    add(format!("- Rows: {}", data.rows));
    add(format!(
        "- Key columns: {}",
        if data.keys.is_empty() {
            "none".to_owned()
        } else {
            data.keys.join(", ")
        }
    ));
    add(format!("- Content hash: `{}`", data.content_hash));
    if !data.producer.operator.is_empty() {
        add(format!(
            "- Made by: `{}` {}",
            data.producer.operator, data.producer.operator_version
        ));
    }
    for input in &data.inputs {
        add(format!("- Made from: {} (`{}`)", input.id, input.id.hash));
    }
    add("\n| column | type | nulls | smallest | largest |\n|---|---|---|---|---|".to_owned());
    for field in schema.fields() {
        let stats = data.columns.get(field.name());
        let mut row = format!(
            "| {} | {} |",
            cell(field.name()),
            cell(&field.data_type().to_string())
        );
        let bound = |bound: Option<&String>| cell(bound.map_or("", String::as_str));
        let nulls = stats.map_or_else(String::new, |stats| stats.nulls.to_string());
        let (min, max) = (
            stats.and_then(|s| s.min.as_ref()),
            stats.and_then(|s| s.max.as_ref()),
        );
        write!(row, " {nulls} | {} | {} |", bound(min), bound(max)).map_err(StoreError::internal)?;
        add(row);
    }
    Ok(text)
}

/// Text that stays inside its cell, whatever it holds.
fn cell(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars()
        .map(plain)
        .collect::<String>()
        .replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('<', "&lt;")
}
