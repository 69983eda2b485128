//! Values that are written as text: durations, sizes, times, cron expressions, secrets.

use std::{str::FromStr, time::Duration};

use crate::{
    diagnostic::codes,
    expr,
    read::{FromNode, Reader, text_type},
    yaml::Node,
};

/// Why a text cannot be read.
pub(crate) struct Wrong {
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

impl Wrong {
    fn new(code: &'static str, message: String, hint: &str) -> Self {
        Self {
            code,
            message,
            hint: Some(hint.to_owned()),
        }
    }
}

text_type! {
    /// A length of time: `30s`, `5m`, `1h30m`, `7d`, `250ms`.
    Period(Duration): "a duration such as `30s`, `5m` or `1h30m`", duration,
    {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$", "examples": ["30s", "1h30m", "7d"]}
}

text_type! {
    /// A number of bytes: `512MiB`, `2GiB`, `4GB`.
    ByteSize(u64): "a size such as `512MiB` or `2GiB`", size,
    {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? ?(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$", "examples": ["2GiB"]}
}

text_type! {
    /// A cron expression with five fields (or six, seconds first), or a nickname such as `@daily`.
    CronExpression(String): "a cron expression such as `0 6 * * *`", cron,
    {"type": "string", "examples": ["0 6 * * *", "*/15 * * * *", "@daily"]}
}

text_type! {
    /// A time zone of the IANA database.
    Timezone(String): "a time zone such as `Europe/Berlin`", timezone,
    {"type": "string", "examples": ["UTC", "Europe/Berlin"]}
}

text_type! {
    /// A date, a local time, or a time with its offset.
    Moment(MomentAt): "a time such as `2026-01-31` or `2026-01-31T06:00:00Z`", moment,
    {"type": "string", "examples": ["2026-01-31", "2026-01-31T06:00", "2026-01-31T06:00:00Z"]}
}

text_type! {
    /// The name of a secret, never its value: `secret:NAME`.
    SecretRef(String): "a reference to a secret such as `secret:NAME`", secret,
    {"type": "string", "pattern": "^secret:[A-Za-z_][A-Za-z0-9_.-]*$"}
}

text_type! {
    /// An expression in `${{ }}`, alone in the value; held without the braces.
    Expression(String): "an expression in `${{ }}`", expression,
    {"type": "string", "pattern": "^\\$\\{\\{.*\\}\\}$"}
}

/// A name of a dataset, model, DAG, tag or alias: 1 to 128 of `a-z 0-9 _ - .`.
#[derive(Debug, Clone, PartialEq)]
pub struct Label(pub String);

impl FromNode for Label {
    const EXPECTED: &'static str = "a name of `a-z 0-9 _ - .`";

    fn from_node(node: &Node, reader: &mut Reader<'_>) -> Option<Self> {
        let Some(text) = node.as_str() else {
            reader.type_error(node, Self::EXPECTED);
            return None;
        };
        // A wrong name is reported, and kept so that the rest can be checked.
        if !is_label(text) {
            reader
                .error(node.span, codes::NAME, format!("`{text}` is not a name"))
                .hint = Some("1 to 128 of `a-z 0-9 _ - .`, the first a letter or digit.".to_owned());
        }
        Some(Self(text.to_owned()))
    }

    fn fallback() -> Option<Self> {
        Some(Self("unnamed".to_owned()))
    }
}

impl schemars::JsonSchema for Label {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Label".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[a-z0-9][a-z0-9_.-]{0,127}$"})
    }
}

/// What a [`Moment`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MomentAt {
    /// A point in time.
    Instant(jiff::Timestamp),
    /// Wall-clock time in the schedule's time zone.
    Local(jiff::civil::DateTime),
}

/// Reads `1h30m`.
fn duration(text: &str) -> Result<Duration, Wrong> {
    let wrong = || {
        let hint = "Write a number with ms, s, m, h, d or w, such as `30s` or `1h30m`.";
        Wrong::new(codes::DURATION, format!("`{text}` is not a duration"), hint)
    };
    let mut seconds = 0.0_f64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            "w" => 604_800.0,
            _ => return Err(wrong()),
        };
        seconds += number * unit;
        rest = rest[letters..].trim_start();
    }
    // A century; beyond it a mistake is likelier than an intention.
    if seconds > 3_200_000_000.0 {
        let hint = "Leave the key out where there is no limit.";
        return Err(Wrong::new(
            codes::DURATION,
            format!("`{text}` is longer than a century"),
            hint,
        ));
    }
    Duration::try_from_secs_f64(seconds).map_err(|_| wrong())
}

/// Reads `2GiB`.
fn size(text: &str) -> Result<u64, Wrong> {
    let wrong = || {
        let hint = "Write a number with B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, such as `2GiB`.";
        Wrong::new(codes::SIZE, format!("`{text}` is not a size"), hint)
    };
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .ok_or_else(wrong)?;
    let number: f64 = text[..digits].parse().map_err(|_| wrong())?;
    let unit: u64 = match text[digits..].trim_start() {
        "B" => 1,
        "KB" => 1000,
        "MB" => 1000_u64.pow(2),
        "GB" => 1000_u64.pow(3),
        "TB" => 1000_u64.pow(4),
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    #[expect(clippy::cast_precision_loss, reason = "units are powers far below 2^53")]
    let bytes = number * unit as f64;
    if bytes > 1e15 {
        return Err(wrong());
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and below 1e15"
    )]
    Ok(bytes.round() as u64)
}

fn cron(text: &str) -> Result<String, Wrong> {
    match croner::Cron::from_str(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            let hint = "Five fields: minute, hour, day of month, month, day of week; `0 6 * * *` is six every morning.";
            Err(Wrong::new(
                codes::CRON,
                format!("`{text}` is not a cron expression: {error}"),
                hint,
            ))
        }
    }
}

fn timezone(text: &str) -> Result<String, Wrong> {
    if jiff::tz::TimeZone::get(text).is_ok() {
        return Ok(text.to_owned());
    }
    let available: Vec<String> = jiff::tz::db()
        .available()
        .map(|name| name.as_str().to_owned())
        .collect();
    let hint = crate::read::did_you_mean(text, available.iter().map(String::as_str))
        .unwrap_or_else(|| "Use a name of the IANA database, such as `UTC` or `Europe/Berlin`.".to_owned());
    Err(Wrong {
        code: codes::TIMEZONE,
        message: format!("`{text}` is not a known time zone"),
        hint: Some(hint),
    })
}

fn moment(text: &str) -> Result<MomentAt, Wrong> {
    if let Ok(instant) = jiff::Timestamp::from_str(text) {
        return Ok(MomentAt::Instant(instant));
    }
    jiff::civil::DateTime::from_str(text)
        .map(MomentAt::Local)
        .map_err(|_| {
            let hint = "Write `2026-01-31`, `2026-01-31T06:00` or `2026-01-31T06:00:00Z`.";
            Wrong::new(codes::TIMESTAMP, format!("`{text}` is not a time"), hint)
        })
}

fn secret(text: &str) -> Result<String, Wrong> {
    let name = text.strip_prefix("secret:").unwrap_or_default();
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
    {
        return Ok(text.to_owned());
    }
    // The text itself may be the secret: it is not repeated.
    let hint =
        "Write `secret:NAME`; the value comes from the secret store or the environment, never from the file.";
    Err(Wrong::new(
        codes::SECRET,
        "expected a reference to a secret, not its value".to_owned(),
        hint,
    ))
}

pub(crate) fn is_label(text: &str) -> bool {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(known)
        && text.len() <= 128
        && !text.contains("..")
        && text.chars().all(|c| known(c) || matches!(c, '_' | '-' | '.'))
}

fn expression(text: &str) -> Result<String, Wrong> {
    match expr::whole(text) {
        Ok(Some(inner)) => Ok(inner.to_owned()),
        Ok(None) => {
            let hint = match text.contains("${{") {
                true => "The expression must be the whole value; join text inside it with `~`.".to_owned(),
                false => format!("Write `${{{{ {} }}}}`.", text.trim()),
            };
            Err(Wrong::new(
                codes::EXPRESSION,
                "expected an expression in `${{ }}`".to_owned(),
                &hint,
            ))
        }
        Err(error) => Err(Wrong {
            code: codes::EXPRESSION,
            message: error.to_string(),
            hint: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn durations_and_sizes() {
        for (text, millis) in [
            ("30s", 30_000),
            ("5m", 300_000),
            ("7d", 604_800_000),
            ("1h30m", 5_400_000),
            ("250ms", 250),
            ("1.5s", 1500),
        ] {
            assert_eq!(duration(text).ok(), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "5", "m", "5 minutes", "1h30", "-5s", "1..5s", "99999999w"] {
            assert!(duration(text).is_err(), "{text}");
        }
        for (text, bytes) in [
            ("2GiB", 2 << 30),
            ("512MB", 512_000_000),
            ("1.5KiB", 1536),
            ("0B", 0),
            ("1 KiB", 1024),
        ] {
            assert_eq!(size(text).ok(), Some(bytes), "{text}");
        }
        for text in ["", "2", "2gib", "GiB", "2 Gi", "99999TiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_secret_is_not_repeated() {
        let wrong = secret("hunter2").err().unwrap();
        assert!(!wrong.message.contains("hunter2") && !wrong.hint.unwrap().contains("hunter2"));
        assert!(secret("secret:PUBLISH_HOOK").is_ok());
    }

    #[test]
    fn schedules() {
        assert!(cron("0 6 * * *").is_ok() && cron("@daily").is_ok());
        assert!(cron("0 25 * * *").is_err() && cron("often").is_err());
        assert!(timezone("Europe/Berlin").is_ok());
        assert_eq!(
            timezone("Europe/Berlni").err().unwrap().hint.unwrap(),
            "Did you mean `Europe/Berlin`?"
        );
        assert!(matches!(moment("2026-01-31"), Ok(MomentAt::Local(_))));
        assert!(matches!(moment("2026-01-31T06:00:00Z"), Ok(MomentAt::Instant(_))));
        assert!(moment("31.1.2026").is_err());
    }
}
