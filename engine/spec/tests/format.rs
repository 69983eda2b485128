//! `twinloom fmt`.

use std::{fs, path::Path};

use twinloom_spec::{SourceFile, format};

fn formatted(text: &str) -> String {
    format(&SourceFile::new("x.yaml", text)).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

#[test]
fn files_are_formatted() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fmt"));
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "yaml") {
            continue;
        }
        count += 1;
        let found = formatted(&fs::read_to_string(&path).unwrap());
        let expected = path.with_extension("out");
        if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
            fs::write(&expected, &found).unwrap();
        }
        assert_eq!(
            fs::read_to_string(&expected).unwrap_or_default(),
            found,
            "{}",
            path.display()
        );
        assert_eq!(formatted(&found), found, "{}", path.display());
    }
    assert!(count >= 4);
}

#[test]
fn small_things() {
    let cases = [
        ("a:   1\nb :  2\n", "a: 1\nb: 2\n"),
        ("a:\n      b:\n            c: 1\n", "a:\n  b:\n    c: 1\n"),
        ("a:\n- 1\n-   b: 1\n    c: 2\n", "a:\n  - 1\n  - b: 1\n    c: 2\n"),
        ("- - 1\n  - 2\n-    - 3\n", "- - 1\n  - 2\n- - 3\n"),
        ("a: {b: 1,c: [ 1,2 , 3 ] }   \n", "a: {b: 1, c: [1, 2, 3]}\n"),
        ("a: { b : 'x , y' , \"c\":1 }\n", "a: {b: 'x , y', \"c\":1}\n"),
        ("\n\n\na: 1\n\n\n\nb: 2\n\n\n", "a: 1\n\nb: 2\n"),
        ("a: 1 # one\nb: 2   # two\n", "a: 1  # one\nb: 2   # two\n"),
        (
            "# first\na:\n    # second\n    b: 1\n    # third\n# fourth\n",
            "# first\na:\n  # second\n  b: 1\n  # third\n# fourth\n",
        ),
        (
            "a: |\n     x\n       y\n\n     z\nb: >-\n  folded\n  text\n",
            "a: |\n  x\n    y\n\n  z\nb: >-\n  folded\n  text\n",
        ),
        (
            "a: 'it''s\n     long'\nb: plain\n   text\n",
            "a: 'it''s\n  long'\nb: plain\n  text\n",
        ),
        (
            "a: &x {b: 1}\nc:   *x\nd: !!str 5\n",
            "a: &x {b: 1}\nc: *x\nd: !!str 5\n",
        ),
        ("a: &x\n    b: 1\nc: *x\n", "a: &x\n  b: 1\nc: *x\n"),
        ("a:\nb: ~\nc:\n  - \n  - null\n", "a:\nb: ~\nc:\n  -\n  - null\n"),
        ("---\na: 1\n", "---\na: 1\n"),
        (
            "a: [\n  1,\n      2, # two\n]\n",
            "a: [\n    1,\n    2, # two\n  ]\n",
        ),
        (
            "if: ${{ a   b }}\nb: x: y\n".trim_end_matches("b: x: y\n"),
            "if: ${{ a   b }}\n",
        ),
        ("a: x#y\n'b#': 1 #c\n", "a: x#y\n'b#': 1  #c\n"),
        ("größe:   漢字 # 漢\n", "größe: 漢字   # 漢\n"),
        ("{a: 1,   b: 2}\n", "{a: 1,   b: 2}\n"),
    ];
    for (text, expected) in cases {
        assert_eq!(formatted(text), expected, "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_not_formatted() {
    assert!(format(&SourceFile::new("x.yaml", "a: [")).is_err());
    assert!(format(&SourceFile::new("x.yaml", "")).is_err());
}
