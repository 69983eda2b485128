//! A row on its way into the database: a JSON object by column. What is absent is left as it is in an update.

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::{Field, entity::micros};

/// Column values of one row.
#[derive(Debug, Default)]
pub struct Cells(pub Map<String, Value>);

impl Cells {
    pub fn text(self, column: &str, value: &str) -> Self {
        self.put(column, text(value))
    }

    pub fn text_opt(self, column: &str, value: Option<&str>) -> Self {
        self.put(column, value.map_or(Value::Null, text))
    }

    pub fn int(self, column: &str, value: i64) -> Self {
        self.put(column, value.into())
    }

    /// Beyond `i64::MAX` it stays there: no count of rows or bytes comes near.
    pub fn count(self, column: &str, value: u64) -> Self {
        self.int(column, i64::try_from(value).unwrap_or(i64::MAX))
    }

    pub fn count_opt(self, column: &str, value: Option<u64>) -> Self {
        match value {
            Some(value) => self.count(column, value),
            None => self.put(column, Value::Null),
        }
    }

    pub fn int_opt(self, column: &str, value: Option<i64>) -> Self {
        self.put(column, value.map_or(Value::Null, Value::from))
    }

    pub fn real(self, column: &str, value: f64) -> Self {
        let finite = if value.is_infinite() {
            f64::MAX.copysign(value)
        } else {
            value
        };
        self.put(column, Value::from(finite))
    }

    pub fn bool(self, column: &str, value: bool) -> Self {
        self.put(column, value.into())
    }

    pub fn json(self, column: &str, value: &Value) -> Self {
        self.put(column, Value::String(value.to_string()))
    }

    pub fn json_opt(self, column: &str, value: Option<&Value>) -> Self {
        self.put(
            column,
            value.map_or(Value::Null, |value| Value::String(value.to_string())),
        )
    }

    pub fn time(self, column: &str, value: Timestamp) -> Self {
        self.int(column, micros(value))
    }

    pub fn time_opt(self, column: &str, value: Option<Timestamp>) -> Self {
        self.int_opt(column, value.map(micros))
    }

    pub fn json_field(self, column: &str, value: &Field<Value>) -> Self {
        self.field(column, value, |value| Value::String(value.to_string()))
    }

    pub fn text_field(self, column: &str, value: &Field<String>) -> Self {
        self.field(column, value, |value| text(value))
    }

    pub fn time_field(self, column: &str, value: &Field<Timestamp>) -> Self {
        self.field(column, value, |value| micros(*value).into())
    }

    fn field<T>(self, column: &str, value: &Field<T>, encode: impl Fn(&T) -> Value) -> Self {
        match value {
            Field::Keep => self,
            Field::Set(value) => self.put(column, encode(value)),
            Field::Clear => self.put(column, Value::Null),
        }
    }

    fn put(mut self, column: &str, value: Value) -> Self {
        self.0.insert(column.to_owned(), value);
        self
    }
}

/// Neither database takes U+0000 in text.
fn text(value: &str) -> Value {
    if value.contains('\0') {
        value.replace('\0', "\u{fffd}").into()
    } else {
        value.into()
    }
}
