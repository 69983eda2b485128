//! What stands under a title: author, date, counts.

use jiff::{civil::date as civil_date, tz::TimeZone};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Whether it is a count of likes or comments: `17`, `2.1K`.
pub fn is_count(text: &str) -> bool {
    let digits = text.strip_suffix(['K', 'k']).unwrap_or(text);
    (1..=6).contains(&digits.len())
        && digits.starts_with(|first: char| first.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','))
}

/// Midnight UTC of a date like `May 09, 2024`, in milliseconds since 1970.
pub fn date(text: &str) -> Option<i64> {
    let (month, rest) = text.split_at_checked(3)?;
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let (day, year) = rest
        .trim_start_matches(|letter: char| letter.is_ascii_lowercase())
        .split_once(',')?;
    let (day, year) = (day.trim().parse().ok()?, year.trim().parse().ok()?);
    if !(1..=31).contains(&day) || !(1970..=2200).contains(&year) {
        return None;
    }
    let date = civil_date_checked(year, i8::try_from(month).ok()?, day)?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// Whether it is a name: the author's, or at least one short line that is no sentence.
pub fn is_name(text: &str, author: Option<&str>) -> bool {
    let like_a_name = text.len() <= 60
        && !text.contains(['\n', '.', '!', '?', ':', '#', '*', '_'])
        && text.starts_with(char::is_alphabetic);
    author.is_some_and(|author| text.eq_ignore_ascii_case(author)) || like_a_name
}

fn civil_date_checked(year: i16, month: i8, day: i8) -> Option<jiff::civil::Date> {
    jiff::civil::Date::new(year, month, day)
        .ok()
        .filter(|date| *date >= civil_date(1970, 1, 1))
}
