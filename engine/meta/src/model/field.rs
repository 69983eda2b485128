//! A column in an update: leave it, set it, or empty it.

/// What an update does to a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// Leaves what is there.
    #[default]
    Keep,
    /// Puts this in its place.
    Set(T),
    /// Makes it NULL.
    Clear,
}

impl<T> From<T> for Field<T> {
    fn from(value: T) -> Self {
        Self::Set(value)
    }
}

impl<T> Field<T> {
    /// `Some` sets, `None` clears.
    #[must_use]
    pub fn of(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }
}
