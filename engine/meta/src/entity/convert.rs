//! Column values to plain values. `place` is `table.column`, for the error.

use std::{fmt::Display, str::FromStr};

use jiff::Timestamp;
use serde_json::Value;

use crate::MetaError;

/// Microseconds since 1970.
pub fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

pub fn json(place: &str, text: &str) -> Result<Value, MetaError> {
    serde_json::from_str(text).map_err(|error| corrupt(place, &error))
}

pub fn json_opt(place: &str, text: Option<&str>) -> Result<Option<Value>, MetaError> {
    text.map(|text| json(place, text)).transpose()
}

pub fn time(place: &str, micros: i64) -> Result<Timestamp, MetaError> {
    Timestamp::from_microsecond(micros).map_err(|error| corrupt(place, &error))
}

pub fn time_opt(place: &str, micros: Option<i64>) -> Result<Option<Timestamp>, MetaError> {
    micros.map(|micros| time(place, micros)).transpose()
}

pub fn word<T: FromStr<Err: Display>>(place: &str, text: &str) -> Result<T, MetaError> {
    text.parse().map_err(|error| corrupt(place, &error))
}

pub fn number<T: TryFrom<i64, Error: Display>>(place: &str, value: i64) -> Result<T, MetaError> {
    T::try_from(value).map_err(|error| corrupt(place, &error))
}

pub fn number_opt<T: TryFrom<i64, Error: Display>>(
    place: &str,
    value: Option<i64>,
) -> Result<Option<T>, MetaError> {
    value.map(|value| number(place, value)).transpose()
}

fn corrupt(place: &str, reason: &dyn Display) -> MetaError {
    MetaError::Corrupt {
        place: place.to_owned(),
        reason: reason.to_string(),
    }
}
