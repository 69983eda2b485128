//! `twinloom fmt`: indentation and spacing, never meaning.

mod comments;
mod flow;
mod lines;

use crate::{
    diagnostic::{Diagnostic, Diagnostics, Report, codes},
    source::{Source, SourceFile},
    yaml::{self, Data, Node, Span},
};

/// The file with canonical indentation (two spaces), spacing and blank lines. Comments stay. Any YAML that can be read
/// is formatted, whatever it says.
///
/// # Errors
/// What is wrong with the file as YAML; `spec.format` where formatting would have changed what it says, which leaves
/// the file as it is.
pub fn format(file: &SourceFile) -> Result<String, Diagnostics> {
    let source = Source::new(&file.name, &file.text);
    let before = read(&source)?;
    let formatted = lines::format(&file.text, &before);
    // The same again must be the same, and say the same.
    let kept = read(&Source::new(&file.name, &formatted)).is_ok_and(|after| {
        let comments = |text, root| {
            comments::comments_of(text, root)
                .into_iter()
                .map(|comment| comment.text.to_owned())
        };
        alike(&before, &after)
            && comments(&file.text, &before).eq(comments(&formatted, &after))
            && lines::format(&formatted, &after) == formatted
    });
    if kept {
        return Ok(formatted);
    }
    let message = "the file cannot be formatted without changing what it says; it is left as it is";
    Err(Diagnostics(vec![Diagnostic::new(
        &source,
        Span::default(),
        codes::FORMAT,
        message,
    )]))
}

fn read(source: &Source) -> Result<Node, Diagnostics> {
    let mut report = Report::default();
    let node = yaml::parse(source, &mut report);
    report.finish()?;
    node.ok_or(Diagnostics(Vec::new()))
}

/// The same values, wherever they stand.
fn alike(a: &Node, b: &Node) -> bool {
    match (&a.data, &b.data) {
        (Data::List(a), Data::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b)),
        (Data::Map(a), Data::Map(b)) => {
            a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|(a, b)| a.key == b.key && alike(&a.value, &b.value))
        }
        (a, b) => a == b,
    }
}
