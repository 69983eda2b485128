#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;

use super::{Piece, Shape, Syntax, split};

const SHAPES: [Shape; 6] = [
    Shape::Markdown,
    Shape::Post,
    Shape::Code(None),
    Shape::Code(Some(Syntax::Rust)),
    Shape::Code(Some(Syntax::Python)),
    Shape::Code(Some(Syntax::JavaScript)),
];

fn texts<'a>(text: &'a str, pieces: &[Piece]) -> Vec<&'a str> {
    pieces.iter().map(|piece| &text[piece.start..piece.end]).collect()
}

/// What `split` promises, whatever the text.
fn check(text: &str, shape: Shape, size: usize) {
    let pieces = split(text, shape, size);
    let mut at = 0;
    for piece in &pieces {
        assert_eq!(piece.start, at, "pieces are contiguous");
        assert!(piece.end > piece.start, "no piece is empty");
        let length = text[piece.start..piece.end].trim_end().chars().count();
        assert!(
            length <= size || text[piece.start..piece.end].trim().is_empty(),
            "{length} > {size} with {shape:?}"
        );
        at = piece.end;
    }
    assert_eq!(at, text.len(), "pieces cover the text");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_text_is_kept_whole(text in "\\PC{0,400}", size in 1_usize..120) {
        for shape in SHAPES {
            check(&text, shape, size);
        }
    }

    #[test]
    fn markdown_like_text_is_kept_whole(
        text in "(# |## |\n|\n\n|```\n|~~~|    |\t|\\* |word |a sentence\\. |---\n|===\n|\\| a \\||é|👩‍💻|\r\n|1\\. ){0,80}",
        size in 1_usize..120,
    ) {
        check(&text, Shape::Markdown, size);
        check(&text, Shape::Post, size);
    }

    #[test]
    fn code_like_text_is_kept_whole(
        text in "(fn a\\(\\) \\{|\\}|\n|\n\n|    |def f\\(\\):\n|class A|# c\n|// c\n|#\\[x\\]\n|impl B \\{|let x = 1;|\"|é){0,60}",
        size in 1_usize..120,
    ) {
        for shape in SHAPES {
            check(&text, shape, size);
        }
    }
}

#[test]
fn a_code_block_is_whole_where_it_fits_and_takes_no_prose_with_it_where_it_does_not() {
    let block = "```rust\nfn main() {\n\n    let x = 1;\n\n    let y = 2;\n}\n```\n";
    let text = format!("{}\n\n{block}\nAfter it.\n", "Words before it. ".repeat(6));
    for size in [70, 100, 120, 180] {
        let pieces = split(&text, Shape::Markdown, size);
        assert!(
            texts(&text, &pieces).iter().any(|piece| piece.contains(block)),
            "{size}: {pieces:?}"
        );
    }
}

#[test]
fn indented_code_is_one_block() {
    let text = "Intro to it:\n\n    def f():\n        return 1\n    \n    def g():\n        return 2\n\nAfter, some words.\n";
    let pieces = split(text, Shape::Markdown, 70);
    assert!(
        texts(text, &pieces)
            .iter()
            .any(|piece| piece.contains("def f") && piece.contains("return 2")),
        "{pieces:?}"
    );
}

#[test]
fn a_heading_is_never_last_in_a_piece() {
    let text = format!(
        "{}\n\n## Next\n\n{}\n",
        "One two three. ".repeat(6),
        "Four five six. ".repeat(6)
    );
    for size in 90..220 {
        let pieces = split(&text, Shape::Markdown, size);
        let last_line_is_heading = |piece: &&str| {
            piece
                .trim_end()
                .lines()
                .last()
                .is_some_and(|line| line.starts_with("##"))
        };
        assert!(!texts(&text, &pieces).iter().any(last_line_is_heading), "{size}");
    }
}

#[test]
fn sections_are_paths_of_headings() {
    let text = "# A\n\nintro\n\n## B\n\nfirst words\n\n### C\n\nsecond words\n\n## D *d*\n\nthird words\n";
    let pieces = split(text, Shape::Markdown, 22);
    let sections: Vec<_> = pieces.iter().map(|piece| piece.section.as_deref()).collect();
    assert_eq!(
        sections,
        [Some("A"), Some("A > B"), Some("A > B > C"), Some("A > D *d")]
    );
}

#[test]
fn underlined_headings_count() {
    let text = "Title\n=====\n\nSome words here.\n\nSecond\n------\n\nOther words here.\n";
    let pieces = split(text, Shape::Markdown, 40);
    let sections: Vec<_> = pieces.iter().map(|piece| piece.section.as_deref()).collect();
    assert_eq!(sections, [Some("Title"), Some("Title > Second")]);
}

#[test]
fn long_paragraphs_are_cut_after_sentences() {
    let text = "This is the first sentence. This is the second one! Is this the third? Yes, it is.";
    let pieces = split(text, Shape::Markdown, 60);
    assert_eq!(
        texts(text, &pieces),
        [
            "This is the first sentence. This is the second one! ",
            "Is this the third? Yes, it is."
        ]
    );
}

#[test]
fn a_post_is_whole_where_it_fits_and_cut_at_lines_where_not() {
    let text = "First line.\nSecond line.\n\nThird line.";
    assert_eq!(split(text, Shape::Post, 100).len(), 1);
    assert_eq!(
        texts(text, &split(text, Shape::Post, 26)),
        ["First line.\nSecond line.\n\n", "Third line."]
    );
}

#[test]
fn definitions_keep_their_comments_and_attributes() {
    let text = "use std::io;\n\n/// Says what it does.\n#[inline]\nfn first() {\n    let a = 1;\n}\n\n// Another.\nfn second() {\n    let b = 2;\n}\n";
    let pieces = split(text, Shape::Code(Some(Syntax::Rust)), 75);
    assert_eq!(
        texts(text, &pieces),
        [
            "use std::io;\n\n",
            "/// Says what it does.\n#[inline]\nfn first() {\n    let a = 1;\n}\n\n",
            "// Another.\nfn second() {\n    let b = 2;\n}\n"
        ]
    );
    assert_eq!(pieces[1].section.as_deref(), Some("first"));
}

#[test]
fn large_definitions_are_opened_up() {
    let method =
        |name: &str| format!("    def {name}(self):\n        value = \"{name}\"\n        return value\n\n");
    let text = format!(
        "import os\n\n\nclass Box:\n{}{}{}",
        method("one"),
        method("two"),
        method("three")
    );
    let pieces = split(&text, Shape::Code(Some(Syntax::Python)), 100);
    assert!(pieces.len() > 2);
    let second = pieces
        .iter()
        .find(|piece| text[piece.start..piece.end].starts_with("    def two"))
        .expect("two begins a piece");
    assert_eq!(second.section.as_deref(), Some("Box > two"));
}

#[test]
fn hostile_texts_are_cut_in_bounded_time() {
    let started = std::time::Instant::now();
    let cases = [
        "a".repeat(4_000_000),
        "🙂".repeat(300_000),
        "e\u{301}\u{301}".repeat(150_000),
        "# ".repeat(300_000),
        "#\n".repeat(150_000),
        "```\n".repeat(150_001),
        " \n".repeat(300_000),
        "> ".repeat(200_000),
        "{".repeat(100_000),
    ];
    for text in cases {
        for shape in [Shape::Markdown, Shape::Post, Shape::Code(Some(Syntax::Rust))] {
            check(&text, shape, 1500);
        }
    }
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}

#[test]
fn a_note_is_cut_at_its_headings() {
    let text = include_str!("fixtures/note.md");
    let pieces = split(text, Shape::Markdown, 200);
    // The first begins with front matter, above any heading.
    let sections: Vec<_> = pieces.iter().map(|piece| piece.section.as_deref()).collect();
    assert_eq!(
        sections,
        [
            None,
            Some("Two looms > The frame"),
            Some("Two looms > The threads")
        ]
    );
    assert!(texts(text, &pieces)[1].contains("```text\nwarp   24\nweft   12\n\nleft selvedge   2\n```"));
    assert_eq!(texts(text, &pieces).concat(), text);
}
