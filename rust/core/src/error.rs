//! What can be wrong with the arguments of a kernel; every variant carries the numbers to find it.

use thiserror::Error;

/// The closed list of refusals.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Error {
    /// Two arguments that must have the same length do not.
    #[error("`{name}` has length {found}, but {wanted} is needed ({why})")]
    Length {
        /// Argument at fault.
        name: &'static str,
        /// Its length.
        found: usize,
        /// The length that it should have.
        wanted: usize,
        /// What sets that length.
        why: &'static str,
    },
    /// A row does not fit into the buffer that it should fill.
    #[error("row {row} needs a width of {wanted}, but `{name}` is {found} wide")]
    Width {
        /// Argument at fault.
        name: &'static str,
        /// The row that does not fit.
        row: usize,
        /// Its width.
        found: usize,
        /// The width that the row needs.
        wanted: usize,
    },
    /// An index or id lies outside its range.
    #[error("`{name}`[{index}] is {value}, outside {low}..={high}")]
    Range {
        /// Argument at fault.
        name: &'static str,
        /// Position in the argument.
        index: usize,
        /// The value found.
        value: i64,
        /// Smallest allowed value.
        low: i64,
        /// Largest allowed value.
        high: i64,
    },
    /// Start and stop of a user do not describe a piece of `items`.
    #[error("user {user}: {start}..{stop} is not a range of the {len} stored items")]
    Slice {
        /// User at fault.
        user: usize,
        /// Start found.
        start: i64,
        /// Stop found.
        stop: i64,
        /// Number of stored items.
        len: usize,
    },
    /// An option has a value that makes no sense.
    #[error("`{name}` is {value}: {reason}")]
    Option {
        /// Option at fault.
        name: &'static str,
        /// The value, printed.
        value: String,
        /// Why it is refused.
        reason: &'static str,
    },
    /// A score is NaN or infinite.
    #[error("score of item {item} for user {user} (row {row}) is {value}: scores must be finite")]
    Score {
        /// Row of the score matrix.
        row: usize,
        /// User of that row.
        user: i64,
        /// Item id of the column.
        item: usize,
        /// The score, printed.
        value: String,
    },
    /// A score of the pooled AUC is NaN or infinite.
    #[error("`{name}` is {value} in row {row}, column {column}: scores must be finite")]
    PairScore {
        /// Argument at fault.
        name: &'static str,
        /// Its row.
        row: usize,
        /// Its column, 0 where there is one alone.
        column: usize,
        /// The score, printed.
        value: String,
    },
    /// A rank is below 1 or NaN.
    #[error("`ranks`[{index}] is {value}: a rank is at least 1")]
    Rank {
        /// Position in the argument.
        index: usize,
        /// The rank, printed.
        value: String,
    },
    /// A negative cannot be drawn.
    #[error("user {user} has taken {taken} of the {n_items} items: no negative is left to draw")]
    NoNegative {
        /// User at fault.
        user: i64,
        /// Number of distinct items taken.
        taken: usize,
        /// Size of the catalogue.
        n_items: usize,
    },
    /// A weight is negative, NaN or infinite, or all are zero.
    #[error(
        "weight of item {item} is {value}: weights must be finite, not negative and not all zero"
    )]
    Weight {
        /// Item at fault (1-based).
        item: usize,
        /// The weight, printed.
        value: String,
    },
    /// There is more of something than its numbers can tell apart.
    #[error("{found} {what} are more than the {limit} that can be handled")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        limit: usize,
    },
    /// Memory is not to be had.
    #[error("out of memory: {bytes} bytes are not to be had{}", for_option(.option.as_ref()))]
    Memory {
        /// How much was asked for.
        bytes: usize,
        /// Name and value of the option that asks for so much, where it is one.
        option: Option<(&'static str, usize)>,
    },
}

/// Which option it is for that something is refused.
fn for_option(option: Option<&(&'static str, usize)>) -> String {
    option.map_or_else(String::new, |(name, value)| {
        format!(" for `{name}` = {value}")
    })
}

#[cfg(test)]
impl Error {
    /// Some error of a row, to see which row is reported.
    pub(crate) fn of_row(index: usize) -> Self {
        Self::Range {
            name: "row",
            index,
            value: 0,
            low: 1,
            high: 1,
        }
    }
}
