//! The direction of dependencies, over `cargo metadata`: what each crate may see of the workspace, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use cargo_metadata::{CargoOpt, DependencyKind, Metadata, MetadataCommand};
use regex::Regex;

use super::files;

/// What each crate may depend on directly. A crate that is not listed may depend on nothing: list it here on purpose.
const ALLOWED: [(&str, &[&str]); 12] = [
    ("twinloom-spec", &[]),
    ("twinloom-store", &[]),
    ("twinloom-sdk", &["twinloom-spec", "twinloom-store"]),
    ("twinloom-operators", &["twinloom-store", "twinloom-sdk"]),
    ("twinloom-kernels", &[]),
    (
        "twinloom-torch",
        &[
            "twinloom-store",
            "twinloom-sdk",
            "twinloom-operators",
            "twinloom-shim",
            "twinloom-kernels",
        ],
    ),
    ("twinloom-shim", &[]),
    ("twinloom-meta", &[]),
    (
        "twinloom-runtime",
        &["twinloom-spec", "twinloom-store", "twinloom-sdk", "twinloom-meta"],
    ),
    ("twinloom-gateway", &["twinloom-store", "twinloom-sdk"]),
    (
        "twinloom-server",
        &[
            "twinloom-spec",
            "twinloom-store",
            "twinloom-sdk",
            "twinloom-meta",
            "twinloom-runtime",
        ],
    ),
    (
        "twinloom",
        &[
            "twinloom-spec",
            "twinloom-store",
            "twinloom-sdk",
            "twinloom-meta",
            "twinloom-runtime",
            "twinloom-gateway",
            "twinloom-server",
            "twinloom-operators",
        ],
    ),
];

/// Libraries that only the crates named may use.
const RESERVED: [(&str, &[&str]); 5] = [
    ("tch", &["twinloom-torch", "twinloom-shim"]),
    ("torch-sys", &["twinloom-torch"]),
    ("sea-orm", &["twinloom-meta"]),
    ("object_store", &["twinloom-store"]),
    ("parquet", &["twinloom-store"]),
];

/// Libraries that the pure crate must not see, not even for tests of its parts.
const IMPURE: [&str; 6] = ["tokio", "reqwest", "object_store", "sea-orm", "rand", "nix"];

fn metadata() -> Metadata {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut command = MetadataCommand::new();
    command
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .features(CargoOpt::AllFeatures);
    command.exec().unwrap()
}

/// Direct dependencies of each crate of the workspace, those of tests and benches apart.
fn dependencies(metadata: &Metadata) -> BTreeMap<String, BTreeSet<String>> {
    let of_package = |package: &cargo_metadata::Package| {
        let shipped = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development);
        (
            package.name.to_string(),
            shipped.map(|dependency| dependency.name.clone()).collect(),
        )
    };
    metadata.packages.iter().map(of_package).collect()
}

#[test]
fn dependencies_point_one_way() {
    let crates = dependencies(&metadata());
    let allowed: BTreeMap<&str, &[&str]> = ALLOWED.into_iter().collect();
    let mut wrong = Vec::new();
    for (name, depends_on) in &crates {
        let may = allowed.get(name.as_str()).copied().unwrap_or_default();
        for other in depends_on.iter().filter(|other| crates.contains_key(*other)) {
            if !may.contains(&other.as_str()) {
                wrong.push(format!("{name} must not depend on {other}"));
            }
        }
        if !allowed.contains_key(name.as_str()) {
            wrong.push(format!("{name} is not in the list of this test"));
        }
    }
    assert!(crates.len() >= 9, "the whole workspace was looked at: {crates:?}");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn reserved_libraries_stay_where_they_belong() {
    let crates = dependencies(&metadata());
    let mut wrong = Vec::new();
    for (library, users) in RESERVED {
        for (name, _) in crates
            .iter()
            .filter(|(_, depends_on)| depends_on.contains(library))
        {
            if !users.contains(&name.as_str()) {
                wrong.push(format!("{name} must not depend on {library}"));
            }
        }
    }
    let pure = crates.get("twinloom-spec").unwrap();
    wrong.extend(
        IMPURE
            .iter()
            .filter(|library| pure.contains(**library))
            .map(|l| format!("spec is pure, without {l}")),
    );
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Dependencies that are declared for their features alone, so that no source names them.
const FEATURES_ONLY: [&str; 1] = ["sqlx"];

/// What is declared and used nowhere costs every user compile time.
#[test]
fn declared_dependencies_are_used() {
    // A word alone may be a variable or stand in a comment.
    let path = Regex::new(r"\b([A-Za-z_][A-Za-z0-9_]*)::|\buse ([A-Za-z_][A-Za-z0-9_]*)(?:;| as )").unwrap();
    let mut unused = Vec::new();
    for package in &metadata().packages {
        let folder = package.manifest_path.parent().unwrap().as_std_path();
        let sources = read_sources(folder);
        let begins: BTreeSet<&str> = path
            .captures_iter(&sources)
            .filter_map(|found| Some(found.get(1).or_else(|| found.get(2))?.as_str()))
            .collect();
        assert!(begins.len() > 5, "{} has sources: {begins:?}", package.name);
        for dependency in &package.dependencies {
            let name = dependency.rename.as_ref().unwrap_or(&dependency.name);
            if !begins.contains(name.replace('-', "_").as_str()) && !FEATURES_ONLY.contains(&name.as_str()) {
                unused.push(format!("{} never names {name}", package.name));
            }
        }
    }
    assert!(unused.is_empty(), "\n{}", unused.join("\n"));
}

/// The Rust sources of one crate, those of the crates inside its folder left out.
fn read_sources(folder: &Path) -> String {
    let files = files(folder, |path| path.join("Cargo.toml").exists()).into_iter();
    let rust = files.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    rust.map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// Everything but the worker builds without libtorch.
#[test]
fn a_plain_build_leaves_the_worker_out() {
    let metadata = metadata();
    let members: BTreeSet<_> = metadata.workspace_default_members.iter().collect();
    let torch = ["twinloom-torch", "twinloom-shim"];
    let of_torch = metadata
        .packages
        .iter()
        .filter(|package| torch.contains(&package.name.as_str()));
    let left_out = of_torch.filter(|package| !members.contains(&package.id)).count();
    assert_eq!(left_out, torch.len());
    assert_eq!(members.len() + left_out, metadata.packages.len());
}
