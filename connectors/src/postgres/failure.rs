//! What a failure of a server means.

use crate::{Error, ErrorKind};
use rustls::CertificateError;
use std::{error::Error as _, io};
use tokio_postgres::error::DbError;

/// The error of doing `what`, outside any snapshot.
pub(super) fn failure(what: &str, error: tokio_postgres::Error) -> Error {
    tell(what, error, |verdict| match verdict {
        FailureClass::Gone => ErrorKind::SourceUnavailable,
        FailureClass::Denied => ErrorKind::Unauthorized,
        FailureClass::Misnamed => ErrorKind::Configuration,
        FailureClass::Cancelled | FailureClass::Other => ErrorKind::Source,
    })
}

/// The error of doing `what` in a snapshot. What ends the connection or the query ends the snapshot with it, and a new
/// one may fare better.
pub(super) fn lost(what: &str, error: tokio_postgres::Error) -> Error {
    tell(what, error, |verdict| match verdict {
        FailureClass::Gone | FailureClass::Cancelled => ErrorKind::SnapshotLost,
        FailureClass::Denied => ErrorKind::Unauthorized,
        FailureClass::Misnamed => ErrorKind::Configuration,
        FailureClass::Other => ErrorKind::Source,
    })
}

/// What came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FailureClass {
    /// The connection, or there was none.
    Gone,
    /// The query, by the server's own decision.
    Cancelled,
    /// Our right to be there.
    Denied,
    /// The database or the schema, which does not exist.
    Misnamed,
    /// Something that does not get better by itself.
    Other,
}

fn tell(what: &str, error: tokio_postgres::Error, kind: impl Fn(FailureClass) -> ErrorKind) -> Error {
    let message = format!("could not {what}");
    if let Some(said) = error.as_db_error() {
        // The error itself is not passed on: it would show the detail, which may hold values of rows.
        let told = Error::new(kind(verdict(said.code().code())), message)
            .with_context("severity", said.severity())
            .with_context("SQLSTATE", said.code().code())
            .with_context("message", said.message());
        return match hint(said) {
            Some(hint) => told.with_hint(hint),
            None => told,
        };
    }
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    if let Some(refusal) = cause.and_then(refusal) {
        return refusal;
    }
    if error.is_closed() {
        return Error::new(kind(FailureClass::Gone), message).with_context("message", "the connection is closed");
    }
    Error::new(kind(if cause.is_some() { FailureClass::Gone } else { FailureClass::Other }), message).with_source(error)
}

fn verdict(code: &str) -> FailureClass {
    match code {
        "3D000" | "3F000" => FailureClass::Misnamed,
        "42501" => FailureClass::Denied,
        "57P01" | "57P02" | "57P03" | "57P05" => FailureClass::Gone,
        // A conflict with recovery, a deadlock, a cancelled query, a time-out of the session's, a lock that took too
        // long, a snapshot that is too old.
        "40001" | "40P01" | "57014" | "25P03" | "25P04" | "55P03" | "72000" => FailureClass::Cancelled,
        _ => match code.get(..2) {
            Some("28") => FailureClass::Denied,
            Some("08" | "53") => FailureClass::Gone,
            _ => FailureClass::Other,
        },
    }
}

/// Whether a policy is what a refusal is about. Where the server raises it tells policies from privileges in every language.
fn is_by_policy(said: &DbError) -> bool {
    said.file() == Some("rls.c")
}

fn hint(said: &DbError) -> Option<&'static str> {
    match said.code().code() {
        "42501" if is_by_policy(said) => Some(
            "a policy would hide rows of the table without a word: read as a role with BYPASSRLS, or as one that no policy \
             holds for",
        ),
        "42501" => Some(
            "grant the role what it needs: CONNECT on the database, USAGE on the schema, and GRANT SELECT ON the table",
        ),
        "28P01" => Some("check the password: it comes from PGPASSWORD, or else from the password file (~/.pgpass)"),
        "28000" => Some("check the role, and what pg_hba.conf of the server demands of it"),
        "3D000" => Some("check the database in the URL, or PGDATABASE"),
        "3F000" => Some("create the schema, or name another one with --table"),
        "40001" => Some(
            "queries on a standby conflict with its recovery: raise max_standby_streaming_delay there, or set \
             hot_standby_feedback",
        ),
        "57014" => Some("if it was the statement time-out: see --statement-timeout"),
        "55P03" => Some("somebody holds a lock on the table: see --lock-timeout"),
        "53300" => Some("the server has no connection to spare: use fewer --connections, or raise max_connections"),
        _ => None,
    }
}

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

/// What TLS itself says against a connection, if that is why it failed.
pub(super) fn refusal(error: &io::Error) -> Option<Error> {
    let reason = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let refused = |kind, message: &str| Error::new(kind, message).with_source(reason.clone());
    Some(match reason {
        rustls::Error::InvalidCertificate(why) => {
            refused(ErrorKind::Source, "the server's certificate is not to be trusted").with_hint(advice(why))
        }
        rustls::Error::AlertReceived(_) => refused(ErrorKind::Unauthorized, "the server breaks off TLS")
            .with_hint("it may not like our certificate: see sslcert and sslkey; its log says more"),
        _ => refused(ErrorKind::Source, "the server does not speak TLS as it should"),
    })
}

const fn advice(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name than that of the host: write the name that it is for (hostaddr=ADDRESS leads there \
             without DNS), or use sslmode=verify-ca with the authority's certificate as sslrootcert"
        }
        CertificateError::UnknownIssuer => {
            "nobody known vouches for it: name its authority's certificate by sslrootcert, or put it into \
             ~/.postgresql/root.crt"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired: renew it on the server",
        _ => "check it on the server; a certificate of version 3 with a subject alternative name is needed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_mean_what_the_manual_says() {
        let cases = [
            (FailureClass::Denied, ["28000", "28P01", "42501"].as_slice()),
            (FailureClass::Misnamed, &["3D000", "3F000"]),
            (FailureClass::Gone, &["57P01", "57P02", "57P03", "57P05", "53300", "53200", "08006", "08P01"]),
            (FailureClass::Cancelled, &["40001", "40P01", "57014", "25P03", "25P04", "55P03", "72000"]),
            (FailureClass::Other, &["57P04", "42P01", "42703", "22P02", "XX000", "", "5"]),
        ];
        for (wanted, codes) in cases {
            for code in codes {
                assert_eq!(verdict(code), wanted, "{code}");
            }
        }
    }

    #[test]
    fn certificates_that_are_not_trusted_say_what_to_do() {
        let reason = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let error = refusal(&io::Error::new(io::ErrorKind::InvalidData, reason)).unwrap();
        assert_eq!(error.kind(), ErrorKind::Source);
        assert!(error.hint().unwrap().contains("sslrootcert"));
        assert!(refusal(&io::ErrorKind::ConnectionReset.into()).is_none());
    }
}
