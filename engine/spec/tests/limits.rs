//! Hostile files cost little: the bound that holds is named.

use serde_json::json;
use twinloom_spec::{SourceFile, codes, parse_dag};

use crate::catalog::plan_of;

fn code_of(text: String) -> &'static str {
    parse_dag(&SourceFile::new("x.yaml", text))
        .unwrap_err()
        .0
        .last()
        .unwrap()
        .code
}

#[test]
fn a_large_file_is_not_parsed() {
    assert_eq!(
        code_of("a".repeat(SourceFile::MAX_BYTES + 1)),
        codes::FILE_TOO_LARGE
    );
    let endless = std::io::repeat(b'a');
    let refused = SourceFile::read("x.yaml", endless).unwrap_err();
    assert_eq!(refused.0[0].code, codes::FILE_TOO_LARGE);
}

#[test]
fn bytes_that_are_not_text_have_a_place() {
    let refused = SourceFile::read("x.yaml", &b"a: b\nc: \xff\xfe"[..]).unwrap_err();
    let found = &refused.0[0];
    assert_eq!((found.code, found.line, found.column), (codes::NOT_UTF8, 2, 4));
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::PermissionDenied.into())
        }
    }
    assert_eq!(
        SourceFile::read("x.yaml", Broken).unwrap_err().0[0].code,
        codes::UNREADABLE
    );
}

#[test]
fn deep_nesting_is_refused() {
    for depth in [65, 250, 10_000, 200_000] {
        assert_eq!(code_of("[".repeat(depth)), codes::TOO_DEEP, "{depth} lists");
        assert_eq!(code_of("{a: ".repeat(depth)), codes::TOO_DEEP, "{depth} mappings");
        assert_eq!(code_of("- ".repeat(depth)), codes::TOO_DEEP, "{depth} dashes");
    }
}

#[test]
fn aliases_and_anchors_are_bounded() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let before = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{before}]\n"));
    }
    assert_eq!(code_of(bomb), codes::TOO_MANY_NODES);
    let long = format!(
        "a: &a {}\nb: [{}]\n",
        "x".repeat(100_000),
        vec!["*a"; 10_000].join(", ")
    );
    assert_eq!(code_of(long), codes::TOO_MANY_NODES);
    let mut nested = "x".to_owned();
    for level in 0..60 {
        nested = format!("&n{level} [{nested}, {}]", vec!["y"; 1000].join(", "));
    }
    assert_eq!(code_of(nested), codes::TOO_MANY_NODES);
    let mut deep = "a0: &a0 [x]\n".to_owned();
    for level in 1..80 {
        deep.push_str(&format!("a{level}: &a{level} [*a{}]\n", level - 1));
    }
    assert_eq!(code_of(deep), codes::TOO_DEEP);
}

#[test]
fn plans_are_bounded() {
    let step = "steps:\n  a: {uses: command, for_each: '${{ range(params.n) }}', with: {argv: [x]}, out: {rows: r}}\n";
    let body = format!(
        "params: {{n: {{default: 10}}}}\n{step}  b: {{uses: command, for_each: '${{{{ range(params.n) }}}}', after: a, with: {{argv: [x]}}}}\n"
    );
    assert_eq!(plan_of(&body, &json!({"n": 100})).unwrap().tasks.len(), 200);
    let refused = plan_of(&body, &json!({"n": 10_000})).unwrap_err();
    assert_eq!(refused.0[0].code, codes::PLAN_TOO_LARGE, "{refused}");
    let matrix = "steps:\n  a: {uses: command, matrix: {a: '${{ range(1000) }}', b: '${{ range(1000) }}'}, with: {argv: [x]}}\n";
    assert_eq!(
        plan_of(matrix, &json!({})).unwrap_err().0[0].code,
        codes::VARIANTS
    );
}

#[test]
fn ten_thousand_steps_and_items_are_planned() {
    let mut steps = "steps:\n  s0: {uses: scrape, with: {sources: []}}\n".to_owned();
    for index in 1..10_000 {
        steps.push_str(&format!(
            "  s{index}: {{uses: clean, in: {{documents: s{}.documents}}}}\n",
            index - 1
        ));
    }
    assert_eq!(plan_of(&steps, &json!({})).unwrap().tasks.len(), 10_000);
    let each = "params: {items: {default: []}}\nsteps:\n  each:\n    uses: command\n    for_each: ${{ params.items }}\n    with: {argv: [run, '${{ item.name }}', '${{ item.n + 1 }}-${{ params.items | length }}']}\n";
    let items: Vec<_> = (0..10_000)
        .map(|n| json!({"name": format!("n{n}"), "n": n}))
        .collect();
    let plan = plan_of(each, &json!({"items": items})).unwrap();
    assert_eq!(plan.tasks.len(), 10_000);
    assert_eq!(plan.tasks[41].config, json!({"argv": ["run", "n41", "42-10000"]}));
}
