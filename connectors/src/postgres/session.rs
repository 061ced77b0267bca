//! What is asked of each session.

use super::failure::failure;
use crate::Result;
use std::time::Duration;
use tokio_postgres::Client;

/// How a session behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    /// Whether the server shall refuse to change anything.
    pub(super) read_only: bool,
    /// How long a statement may take; zero is for ever.
    pub(super) statement_timeout: Duration,
    /// How long a statement may wait for a lock; zero is for ever.
    pub(super) lock_timeout: Duration,
}

/// Settings of every session.
const SETTINGS: &[(&str, &str)] = &[
    // How values are printed. Before version 12, floats need all of their digits to survive.
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "3"),
    // A policy that would hide rows is an error, as for pg_dump, and not a shorter archive.
    ("row_security", "off"),
    // A scan that begins in the middle of the table reads rows in another order each time.
    ("synchronize_seqscans", "off"),
    // Slices of a partition are asked for by its own name: one that has nothing of the month is not looked through.
    ("constraint_exclusion", "on"),
    // The server's other work goes first: one process for each connection, and no compiler for a plain scan.
    ("max_parallel_workers_per_gather", "0"),
    ("jit", "off"),
    // Who exports a snapshot idles while others read in it.
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("transaction_timeout", "0"),
];

impl Session {
    /// Makes the session of `client` one of this kind.
    pub(super) async fn prepare(&self, client: &Client) -> Result<()> {
        client.batch_execute(&self.sql()).await.map_err(|error| failure("prepare the session", error))
    }

    /// One statement that sets what the server knows: settings come with versions, and others than PostgreSQL speak its
    /// protocol.
    fn sql(&self) -> String {
        let fixed = SETTINGS.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let asked = [
            ("default_transaction_read_only", if self.read_only { "on" } else { "off" }.to_owned()),
            ("statement_timeout", milliseconds(self.statement_timeout)),
            ("lock_timeout", milliseconds(self.lock_timeout)),
        ];
        let values = fixed.chain(asked).map(|(name, value)| format!("('{name}', '{value}')")).collect::<Vec<_>>();
        format!(
            "select pg_catalog.set_config(known.name, wanted.value, false) from pg_catalog.pg_settings as known join \
             (values {}) as wanted (name, value) on known.name = wanted.name",
            values.join(", ")
        )
    }
}

/// A duration as the server takes it. It cannot count further than an `int4`, and zero has a meaning of its own.
fn milliseconds(duration: Duration) -> String {
    let whole = duration.as_nanos().div_ceil(1_000_000);
    whole.min(2_147_483_647).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_timeout_is_not_taken_for_none() {
        assert_eq!(milliseconds(Duration::ZERO), "0");
        assert_eq!(milliseconds(Duration::from_nanos(1)), "1");
        assert_eq!(milliseconds(Duration::from_millis(1500)), "1500");
        assert_eq!(milliseconds(Duration::MAX), "2147483647");
    }
}
