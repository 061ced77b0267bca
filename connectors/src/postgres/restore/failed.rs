//! What a failure of the server means for a restore.

use crate::{
    Error, ErrorKind,
    postgres::failure::{failure, is_by_policy},
};

/// The error of doing `what`. It ends the transaction, and so nothing was restored.
pub(super) fn failed(what: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Error {
    move |error| {
        let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
        let told = || Error::new(ErrorKind::Source, format!("could not {what}")).with_context("SQLSTATE", &code);
        match code.as_str() {
            "40001" | "40P01" => told().with_hint("somebody else wrote into the month meanwhile: run it again"),
            "42501" if !error.as_db_error().is_some_and(is_by_policy) => failure(what, error).with_hint(
                "grant the role CREATE on the schema for a table that does not exist yet, SELECT and INSERT on one that \
                 does, and TEMPORARY on the database",
            ),
            // What the server says of data quotes them.
            _ if code.starts_with("22") => told().with_hint(
                "a value of the archive is none that a column of the table can have: compare the types with those of the \
                 manifest, or restore into a table that does not exist yet",
            ),
            // And so may what a trigger says.
            _ if code.starts_with("P0") => {
                told().with_hint("a trigger of the table refuses a row: --drill restores into a table that has none")
            }
            _ => failure(what, error),
        }
    }
}
