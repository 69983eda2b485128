//! The filter `tojson`, which writes JSON as Python does: a space after commas and colons, nothing escaped for HTML.

use std::io;

use minijinja::{
    Error, ErrorKind,
    value::{Kwargs, Value},
};
use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// A value as JSON, with `indent`, `separators`, `sort_keys` and `ensure_ascii` as Python's `json.dumps` has them.
pub fn tojson(value: &Value, arguments: Kwargs) -> Result<Value, Error> {
    let indent: Option<usize> = arguments.get("indent")?;
    let separators: Option<Vec<String>> = arguments.get("separators")?;
    let (sorted, ascii): (Option<bool>, Option<bool>) =
        (arguments.get("sort_keys")?, arguments.get("ensure_ascii")?);
    arguments.assert_all_used()?;
    let broken =
        |error: &dyn std::fmt::Display| Error::new(ErrorKind::InvalidOperation, format!("tojson: {error}"));
    let mut json = serde_json::to_value(value).map_err(|error| broken(&error))?;
    if sorted == Some(true) {
        json.sort_all_objects();
    }
    let text = match (indent, separators) {
        (Some(indent), _) => {
            let indent = " ".repeat(indent.min(64));
            written(&json, PrettyFormatter::with_indent(indent.as_bytes()))
        }
        (None, separators) => {
            let [item, key] = separators
                .and_then(|pair| <[String; 2]>::try_from(pair).ok())
                .unwrap_or_else(|| [", ".to_owned(), ": ".to_owned()]);
            written(&json, Spaced { item, key })
        }
    };
    let text = text.map_err(|error| broken(&error))?;
    Ok(Value::from(if ascii == Some(true) {
        escaped(&text)
    } else {
        text
    }))
}

fn written(json: &serde_json::Value, formatter: impl Formatter) -> Result<String, serde_json::Error> {
    let mut out = Vec::new();
    json.serialize(&mut Serializer::with_formatter(&mut out, formatter))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// Letters beyond ASCII as `\uXXXX`; these stand in texts only.
fn escaped(text: &str) -> String {
    let mut units = [0; 2];
    text.chars()
        .map(|letter| match letter {
            letter if letter.is_ascii() => letter.to_string(),
            letter => letter
                .encode_utf16(&mut units)
                .iter()
                .map(|unit| format!("\\u{unit:04x}"))
                .collect(),
        })
        .collect()
}

/// All on one line.
struct Spaced {
    item: String,
    key: String,
}

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            out.write_all(self.item.as_bytes())
        }
    }

    fn begin_object_key<W: ?Sized + io::Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            out.write_all(self.item.as_bytes())
        }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(self.key.as_bytes())
    }
}
