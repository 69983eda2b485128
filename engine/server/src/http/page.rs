//! Lists in pages: `{items, next_cursor}`, asked for with `?limit=&cursor=`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::{Answer, Problem};

/// Items on a page unless asked otherwise.
pub const USUAL: u64 = 50;
/// Items on a page at most.
pub const MOST: u64 = 500;

/// A page of a list.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to pass as `cursor` for the next page; none on the last.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// All there is.
    pub fn whole(items: Vec<T>) -> Self {
        Self {
            items,
            next_cursor: None,
        }
    }

    /// A page of `limit` out of rows that were fetched with one more.
    pub fn of<R>(rows: &[R], limit: u64, cursor: impl Fn(&T) -> String) -> Self
    where
        T: for<'r> From<&'r R>,
    {
        Self::cut(rows.iter().map(T::from).collect(), limit, cursor)
    }

    /// A page of `limit` out of a list that was fetched with one more.
    pub fn cut(mut items: Vec<T>, limit: u64, cursor: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(cursor);
        Self { items, next_cursor }
    }
}

/// Which page of a list.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Items on the page; 50 unless given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<u64>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl Paging {
    /// The number of items, checked.
    ///
    /// # Errors
    /// `request.limit`.
    pub fn limit(&self) -> Answer<u64> {
        usual(self.limit)
    }
}

/// The number of items of an ordinary list, checked.
///
/// # Errors
/// `request.limit`.
pub fn usual(given: Option<u64>) -> Answer<u64> {
    limit(given, USUAL, MOST)
}

/// A number of items, checked.
///
/// # Errors
/// `request.limit`.
pub fn limit(given: Option<u64>, usual: u64, most: u64) -> Answer<u64> {
    match given {
        None => Ok(usual),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(limit) => Err(Problem::bad_request(
            "request.limit",
            format!("`limit` is {limit}"),
            format!("Give 1 to {most}."),
        )),
    }
}

/// A cursor that is a number.
///
/// # Errors
/// `request.cursor`.
pub fn number(cursor: Option<&str>) -> Answer<Option<i64>> {
    cursor
        .map(|text| {
            text.parse::<i64>()
                .ok()
                .filter(|number| *number >= 0)
                .ok_or_else(bad_cursor)
        })
        .transpose()
}

/// The error for a cursor that this server did not hand out.
pub fn bad_cursor() -> Problem {
    Problem::bad_request(
        "request.cursor",
        "this is no cursor of this list",
        "Pass `next_cursor` of the page before, unchanged.",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_page_has_a_cursor_only_where_more_follows() {
        let page = Page::cut(vec![1, 2, 3], 2, ToString::to_string);
        assert_eq!((page.items, page.next_cursor.as_deref()), (vec![1, 2], Some("2")));
        let page = Page::cut(vec![1, 2], 2, ToString::to_string);
        assert_eq!(page.next_cursor, None);
    }

    #[test]
    fn limits_and_cursors_are_checked() {
        assert_eq!(limit(None, 50, 500).unwrap(), 50);
        assert!(limit(Some(0), 50, 500).is_err());
        assert!(limit(Some(501), 50, 500).is_err());
        assert_eq!(number(Some("12")).unwrap(), Some(12));
        assert!(number(Some("-1")).is_err());
        assert!(number(Some("x")).is_err());
    }
}
