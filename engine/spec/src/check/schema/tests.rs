#![allow(clippy::unwrap_used, reason = "tests")]
use super::*;
use crate::{diagnostic::Report, source::Source, yaml};

#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where from.
    sources: Vec<SourceKind>,
    depth: Option<u8>,
    mode: Option<Mode>,
    rate: f64,
}

#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[serde(tag = "kind", rename_all = "snake_case")]
enum SourceKind {
    Git { url: String },
    Folder { path: String },
}

#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
#[serde(rename_all = "snake_case")]
enum Mode {
    /// Fast.
    Fast,
    /// Slow.
    Slow,
}

fn findings(text: &str) -> Vec<String> {
    let mut report = Report::default();
    let node = yaml::parse(&Source::new("x", text), &mut report).unwrap();
    assert!(report.is_empty(), "{report:?}");
    let schema: Value = schemars::schema_for!(Config).into();
    check_schema(&schema, &node, "with")
        .into_iter()
        .map(|found| found.message + &found.hint.map(|hint| format!(" | {hint}")).unwrap_or_default())
        .collect()
}

#[test]
fn what_schemars_writes_is_understood() {
    assert!(findings("{sources: [{kind: git, url: .}], rate: 1, depth: 3, mode: fast}").is_empty());
    assert!(findings("{sources: '${{ params.sources }}', rate: '${{ x }}', mode: '${{ m }}'}").is_empty());
    let cases = [
        ("{rate: 1}", "`with` needs `sources` | `sources`: Where from."),
        (
            "{sources: [], rate: 'a'}",
            "`with.rate` must be a number, found text",
        ),
        (
            "{sources: [{kind: gti, url: .}], rate: 1}",
            "`with.sources[0].kind` must be one of `git`, `folder`, found `gti` | Did you mean `git`?",
        ),
        (
            "{sources: [{kind: folder, url: .}], rate: 1}",
            "`with.sources[0]` needs `path`",
        ),
        (
            "{sources: [{url: .}], rate: 1}",
            "`with.sources[0]` needs `kind` | One of `git`, `folder`.",
        ),
        (
            "{sources: [.], rate: 1}",
            "`with.sources[0]` must be a mapping with `kind`, found text",
        ),
        (
            "{sources: [], rate: 1, mode: fats}",
            "`with.mode` must be one of `fast`, `slow`, found `fats` | Did you mean `fast`?",
        ),
        (
            "{sources: [], rate: 1, depth: 300}",
            "`with.depth` must be at most 255, found 300",
        ),
        (
            "{sources: [], rate: 1, depth: -1}",
            "`with.depth` must be at least 0, found -1",
        ),
        (
            "{sources: [], rate: 1, dept: 1}",
            "`with` has no key `dept` | Did you mean `depth`?",
        ),
        (
            "{sources: 3, rate: 1}",
            "`with.sources` must be a list, found an integer",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(findings(text), [expected], "{text}");
    }
}
