//! The statements of one window. COPY takes no parameters, so whatever is not ours was quoted by the server before it
//! came here; times are digits.

use super::{catalogue::Columns, slices::Range};
use archive_formats::{Timestamp, Window};

/// What is asked of a table for one window.
#[derive(Clone, Debug)]
pub(super) struct Query {
    expressions: String,
    time: String,
    has_zone: bool,
    window: Window,
    /// `org_id = '…'`, if only one organisation is wanted.
    org: Option<String>,
}

impl Query {
    /// What `columns` asks for in `window`; `org` is the quoted name of the organisation.
    pub(super) fn new(columns: &Columns, window: Window, org: Option<&str>) -> Self {
        let org = columns.org.as_ref().zip(org).map(|((column, _), value)| format!("{column} = {value}"));
        Self {
            expressions: columns.expressions.join(", "),
            time: columns.time.clone(),
            has_zone: columns.time_has_zone,
            window,
            org,
        }
    }

    /// The server's own counts: rows of the window, and rows that no window can return.
    pub(super) fn count(&self, table: &str) -> String {
        let count = |predicate: String| format!("(select count(*) from {table} where {predicate})");
        format!("select {}, {}", count(self.within(self.window)), count(self.strays()))
    }

    /// Of each of the `arrays`, whether the window has one of several dimensions.
    pub(super) fn nested<'a>(&self, table: &str, arrays: impl Iterator<Item = &'a str>) -> String {
        let looks = arrays.map(|array| format!("bool_or(pg_catalog.array_ndims({array}) > 1)")).collect::<Vec<_>>();
        format!("select array[{}]::bool[] from {table} where {}", looks.join(", "), self.within(self.window))
    }

    /// The rows of `range`, out of the table or the partition that it names.
    pub(super) fn copy(&self, table: &str, range: Range) -> String {
        let predicate = match range {
            Range::Whole => self.within(self.window),
            Range::Times(window) => self.within(window),
            Range::Pages { from, to } => {
                let from = from.map(|page| format!(" and ctid >= '({page},0)'"));
                let to = to.map(|page| format!(" and ctid < '({page},0)'"));
                [self.within(self.window), from.unwrap_or_default(), to.unwrap_or_default()].concat()
            }
            Range::Strays => self.strays(),
        };
        format!("copy (select {} from {table} where {predicate}) to stdout (format binary)", self.expressions)
    }

    fn within(&self, window: Window) -> String {
        let Self { time, .. } = self;
        let predicate = format!("{time} >= {} and {time} < {}", self.instant(window.from()), self.instant(window.to()));
        self.of_org(predicate)
    }

    /// Rows whose time is missing or infinite.
    fn strays(&self) -> String {
        let Self { time, .. } = self;
        self.of_org(format!("({time} is null or {time} = 'infinity' or {time} = '-infinity')"))
    }

    fn of_org(&self, predicate: String) -> String {
        match &self.org {
            None => predicate,
            Some(org) => format!("{predicate} and {org}"),
        }
    }

    fn instant(&self, time: Timestamp) -> String {
        let text = time.to_string();
        if self.has_zone {
            format!("timestamptz '{text}'")
        } else {
            format!("timestamp '{}'", text.trim_end_matches('Z'))
        }
    }
}
