//! Jinja as Hugging Face libraries set it up: Python's methods on texts, lists and maps, and the helpers that templates
//! call. Bounded in steps and in output.

use std::{collections::BTreeMap, io};

use jiff::Zoned;
use minijinja::{
    Environment, Error, ErrorKind, Output, State, escape_formatter,
    syntax::SyntaxConfig,
    value::{Value, ValueKind},
};
use minijinja_contrib::pycompat::unknown_method_callback;

use super::json;

/// A template may take this many steps; a hostile one ends.
const FUEL: u64 = 1_000_000;
/// And may write so many bytes.
const LONGEST: usize = 64 << 20;

/// Renders a template; `now` is what its clock shows.
pub fn render(source: &str, scope: BTreeMap<String, Value>, now: Option<Zoned>) -> Result<String, Error> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    environment.set_unknown_method_callback(unknown_method_callback);
    environment.set_formatter(python_constants);
    environment.add_filter("tojson", json::tojson);
    environment.add_function("raise_exception", |text: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, text))
    });
    environment.add_function("strftime_now", move |format: String| -> Result<String, Error> {
        let now = now.clone().unwrap_or_else(Zoned::now);
        jiff::fmt::strtime::format(&format, &now)
            .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
    });
    let mut out = Bounded(Vec::new());
    environment
        .template_from_str(source)?
        .render_captured_to(scope, &mut out)?;
    String::from_utf8(out.0).map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// Python writes its constants with a capital.
fn python_constants(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let constant = match value.kind() {
        ValueKind::Bool if value.is_true() => "True",
        ValueKind::Bool => "False",
        ValueKind::None => "None",
        _ => return escape_formatter(out, state, value),
    };
    out.write_str(constant).map_err(Error::from)
}

/// What was written; no more than [`LONGEST`].
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > LONGEST {
            return Err(io::Error::other(format!("it writes more than {LONGEST} bytes")));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
