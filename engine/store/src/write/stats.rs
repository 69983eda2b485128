//! Column statistics: of a part when it is encoded, of a version by merging its parts'.

use std::cmp::Ordering;

use arrow::{
    array::{Array, ArrayRef, AsArray, Int64Array},
    compute,
    datatypes::{DataType, Float64Type, Int64Type, Schema, UInt64Type},
    record_batch::RecordBatch,
    util::display::array_value_to_string,
};
use indexmap::IndexMap;
use serde_json::Value;

use crate::{ColumnStats, Part, PartColumn};

/// Text is cut to so many characters.
const TEXT: usize = 32;

/// Statistics of a batch's columns.
pub(crate) fn of_batch(batch: &RecordBatch) -> Vec<PartColumn> {
    batch.columns().iter().map(of_column).collect()
}

/// Merges those of a second batch or part into the first.
pub(crate) fn merge(into: &mut Vec<PartColumn>, other: &[PartColumn]) {
    if into.is_empty() {
        into.extend_from_slice(other);
        return;
    }
    for (PartColumn(nulls, min, max), PartColumn(more, low, high)) in into.iter_mut().zip(other) {
        *nulls += more;
        keep(min, low, Ordering::Less);
        keep(max, high, Ordering::Greater);
    }
}

/// Statistics of a version, in display form.
pub(crate) fn of_version(schema: &Schema, parts: &[Part]) -> IndexMap<String, ColumnStats> {
    let mut merged = Vec::new();
    // A part without statistics (an old one) leaves the version without: half a truth is none.
    if parts
        .iter()
        .all(|part| part.columns.len() == schema.fields().len())
    {
        parts.iter().for_each(|part| merge(&mut merged, &part.columns));
    }
    let named = schema
        .fields()
        .iter()
        .zip(merged)
        .map(|(field, PartColumn(nulls, min, max))| {
            let shown = |value: &Value| shown(value, field.data_type());
            (
                field.name().clone(),
                ColumnStats {
                    nulls,
                    min: shown(&min),
                    max: shown(&max),
                },
            )
        });
    named.collect()
}

fn of_column(array: &ArrayRef) -> PartColumn {
    let (min, max) = bounds(array).unwrap_or_default();
    PartColumn(array.logical_null_count() as u64, min, max)
}

fn bounds(array: &ArrayRef) -> Option<(Value, Value)> {
    use DataType as T;
    let pair =
        |min: Option<Value>, max: Option<Value>| Some((min.unwrap_or_default(), max.unwrap_or_default()));
    match array.data_type() {
        T::Utf8 => {
            let text = array.as_string::<i32>();
            pair(
                compute::min_string(text).map(cut),
                compute::max_string(text).map(cut),
            )
        }
        T::LargeUtf8 => {
            let text = array.as_string::<i64>();
            pair(
                compute::min_string(text).map(cut),
                compute::max_string(text).map(cut),
            )
        }
        T::Boolean => {
            let flags = array.as_boolean();
            pair(
                compute::min_boolean(flags).map(Value::from),
                compute::max_boolean(flags).map(Value::from),
            )
        }
        T::Int8
        | T::Int16
        | T::Int32
        | T::Int64
        | T::UInt8
        | T::UInt16
        | T::UInt32
        | T::Date32
        | T::Date64 => whole(array),
        T::Time32(_) | T::Time64(_) | T::Timestamp(..) => whole(array),
        T::UInt64 => {
            let numbers = array.as_primitive::<UInt64Type>();
            pair(
                compute::min(numbers).map(Value::from),
                compute::max(numbers).map(Value::from),
            )
        }
        T::Float16 | T::Float32 | T::Float64 => {
            let cast = compute::cast(array, &T::Float64).ok()?;
            let numbers = cast.as_primitive::<Float64Type>();
            pair(
                compute::min(numbers).map(Value::from),
                compute::max(numbers).map(Value::from),
            )
        }
        _ => None,
    }
}

fn whole(array: &ArrayRef) -> Option<(Value, Value)> {
    let cast = compute::cast(array, &DataType::Int64).ok()?;
    let numbers = cast.as_primitive::<Int64Type>();
    let value = |bound: Option<i64>| bound.map(Value::from).unwrap_or_default();
    Some((value(compute::min(numbers)), value(compute::max(numbers))))
}

fn cut(text: &str) -> Value {
    Value::String(text.chars().take(TEXT).collect())
}

fn keep(best: &mut Value, candidate: &Value, wanted: Ordering) {
    let better = match (&*best, candidate) {
        (_, Value::Null) => false,
        (Value::Null, _) => true,
        (Value::String(a), Value::String(b)) => b.cmp(a) == wanted,
        (Value::Bool(a), Value::Bool(b)) => b.cmp(a) == wanted,
        (a, b) => compare_numbers(b, a) == Some(wanted),
    };
    if better {
        *best = candidate.clone();
    }
}

fn compare_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (a.as_i64(), b.as_i64()) {
        return Some(a.cmp(&b));
    }
    if let (Some(a), Some(b)) = (a.as_u64(), b.as_u64()) {
        return Some(a.cmp(&b));
    }
    a.as_f64()?.partial_cmp(&b.as_f64()?)
}

/// Times are kept as whole numbers and shown as times.
fn shown(value: &Value, data_type: &DataType) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if data_type.is_temporal() => {
            let raw: ArrayRef = std::sync::Arc::new(Int64Array::from(vec![number.as_i64()?]));
            let typed = compute::cast(&raw, data_type).or_else(|_| {
                compute::cast(&raw, &DataType::Int32).and_then(|narrow| compute::cast(&narrow, data_type))
            });
            array_value_to_string(&typed.ok()?, 0).ok()
        }
        other => Some(other.to_string()),
    }
}
