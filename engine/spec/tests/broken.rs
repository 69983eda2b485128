//! Every file of `tests/broken` against what Twinloom says of it, which stands beside it. `UPDATE_SNAPSHOTS=1` writes
//! it anew; read the difference before you commit it.

use std::{fs, path::Path};

use serde_json::Map;
use twinloom_spec::{SourceFile, codes, kind_of, plan, validate_pipeline};

use crate::catalog::{library, operators};

#[test]
fn every_broken_file_is_explained() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/broken"));
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    assert!(paths.len() >= 60, "{} broken files", paths.len());
    let (library, operators) = (library(), operators());
    let mut wrong = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let file = SourceFile::new(name.clone(), fs::read_to_string(&path).unwrap());
        let result = match kind_of(&file).as_deref() {
            Some("Pipeline") => validate_pipeline(&file, library, operators).map(|_| ()),
            _ => plan(&file, library, operators, &Map::new()).map(|_| ()),
        };
        let diagnostics = result.expect_err(&name);
        assert!(!diagnostics.is_empty(), "{name}: an error without words");
        seen.extend(diagnostics.0.iter().map(|diagnostic| diagnostic.code));
        let found = format!("{diagnostics}\n\n{}", diagnostics.render(false));
        let expected = path.with_extension("txt");
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&expected, &found).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != found {
            wrong.push(format!("--- {name}\n{found}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "UPDATE_SNAPSHOTS=1 accepts:\n{}",
        wrong.join("\n")
    );
    // Found by other tests: they need a reader, bytes, sizes, two files, or a given parameter.
    let elsewhere = [
        codes::UNREADABLE,
        codes::FILE_TOO_LARGE,
        codes::NOT_UTF8,
        codes::TOO_MANY_NODES,
        codes::DUPLICATE_PIPELINE,
        codes::DUPLICATE_DAG,
        codes::KIND,
        codes::PLAN_TOO_LARGE,
        codes::FORMAT,
    ];
    for (code, _) in codes::ALL.iter().filter(|(code, _)| !elsewhere.contains(code)) {
        assert!(seen.contains(code), "no file of tests/broken shows {code}");
    }
}
