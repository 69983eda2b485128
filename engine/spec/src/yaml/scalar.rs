//! Plain scalars by YAML 1.2's core schema.

use serde_json::Number;

use super::Data;

/// A number that JSON, and so everything behind the spec, cannot hold.
pub(super) struct BadNumber;

/// What a scalar without quotes stands for.
pub(super) fn plain(text: &str) -> Result<Data, BadNumber> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" => Data::Bool(true),
        "false" | "False" | "FALSE" => Data::Bool(false),
        _ => match number(text)? {
            Some(number) => Data::Number(number),
            None => Data::String(text.to_owned()),
        },
    })
}

/// The number a text stands for; `None` where it is not one.
pub(super) fn number(text: &str) -> Result<Option<Number>, BadNumber> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Ok(None);
    }
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix)
            && !digits.is_empty()
            && digits.chars().all(|c| c.is_digit(radix))
        {
            return u64::from_str_radix(digits, radix)
                .map(|value| Some(value.into()))
                .map_err(|_| BadNumber);
        }
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        if let Ok(value) = text.parse::<i64>() {
            return Ok(Some(value.into()));
        }
        return text
            .parse::<u64>()
            .map(|value| Some(value.into()))
            .map_err(|_| BadNumber);
    }
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(BadNumber);
    }
    if !is_float(unsigned) {
        return Ok(None);
    }
    let value: f64 = text.parse().map_err(|_| BadNumber)?;
    Number::from_f64(value).map(Some).ok_or(BadNumber)
}

/// `(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_ok = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_ok
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn the_core_schema() {
        let cases = [
            ("12", "12"),
            ("-3", "-3"),
            ("+3", "3"),
            ("007", "7"),
            ("0x1F", "31"),
            ("0o17", "15"),
            ("1e-4", "0.0001"),
            ("3e3", "3000.0"),
            (".5", "0.5"),
            ("5.", "5.0"),
            ("18446744073709551615", "18446744073709551615"),
        ];
        for (text, json) in cases {
            match plain(text) {
                Ok(Data::Number(number)) => assert_eq!(number.to_string(), json, "{text}"),
                _ => panic!("{text} is a number"),
            }
        }
        for text in [
            "yes", "on", "1_000", "1.2.3", "e5", "-", ".", "0x", "1e", "12:30", "v1", "-.e3", "--1",
        ] {
            assert!(matches!(plain(text), Ok(Data::String(_))), "{text} is text");
        }
        for text in [".inf", "-.INF", ".nan", "99999999999999999999", "1e999"] {
            assert!(plain(text).is_err(), "{text} cannot be held");
        }
        assert!(matches!(plain("~"), Ok(Data::Null)));
        assert!(matches!(plain("True"), Ok(Data::Bool(true))));
    }
}
