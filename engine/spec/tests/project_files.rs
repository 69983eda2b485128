//! The DAGs and pipelines that the project ships can be read and formatted.

use std::{fs, io::Write as _, path::Path};

use twinloom_spec::{SourceFile, format, parse_dag, parse_pipeline};

#[test]
fn shipped_files_can_be_read_and_formatted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in ["dags", "pipelines"] {
        let Ok(entries) = fs::read_dir(root.join(folder)) else {
            let _ = writeln!(std::io::stderr(), "SKIP: there is no folder {folder}");
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let file = SourceFile::new(path.to_string_lossy(), fs::read_to_string(&path).unwrap());
            let read = if folder == "dags" {
                parse_dag(&file).map(|_| ())
            } else {
                parse_pipeline(&file).map(|_| ())
            };
            read.unwrap_or_else(|errors| panic!("{errors}"));
            format(&file).unwrap_or_else(|errors| panic!("{errors}"));
        }
    }
}
