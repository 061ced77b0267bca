//! Maps errors of the server, of TLS and of the connection to errors of the source.

use crate::{Error, ErrorKind};
use rustls::CertificateError;
use std::{error::Error as _, io};
use tokio_postgres::error::DbError;

/// An error of the configuration. Messages about connection settings leave out values, which may be misplaced secrets.
pub(super) fn configuration(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Configuration, message)
}

/// An error of a server, which is the source of a run or the destination of a restore. The hints suit both.
pub(super) fn server_error(kind: ErrorKind, message: impl Into<String>) -> Error {
    let error = Error::new(kind, message);
    match kind {
        ErrorKind::SourceUnavailable => {
            error.with_hint("check the database's address and the network, then run the same command again")
        }
        ErrorKind::Source => error.with_hint("the server's logs have more about it"),
        _ => error,
    }
}

/// The error of doing `what` outside a snapshot.
pub(super) fn failure(what: &str, error: tokio_postgres::Error) -> Error {
    source_error(what, error, |class| match class {
        FailureClass::Unavailable => ErrorKind::SourceUnavailable,
        FailureClass::Denied => ErrorKind::Unauthorized,
        FailureClass::Misnamed => ErrorKind::Configuration,
        FailureClass::Cancelled | FailureClass::Other => ErrorKind::Source,
    })
}

/// The error of doing `what` in a snapshot. An end of the connection or the query ends the snapshot, and a retry takes a new
/// one.
pub(super) fn lost(what: &str, error: tokio_postgres::Error) -> Error {
    source_error(what, error, |class| match class {
        FailureClass::Unavailable | FailureClass::Cancelled => ErrorKind::SnapshotLost,
        FailureClass::Denied => ErrorKind::Unauthorized,
        FailureClass::Misnamed => ErrorKind::Configuration,
        FailureClass::Other => ErrorKind::Source,
    })
}

/// Classes of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FailureClass {
    /// The connection failed.
    Unavailable,
    /// The server cancelled the query.
    Cancelled,
    /// The login or a privilege was refused.
    Denied,
    /// The database or the schema does not exist.
    Misnamed,
    /// Any other error, which a retry would not fix.
    Other,
}

fn source_error(what: &str, error: tokio_postgres::Error, kind: impl Fn(FailureClass) -> ErrorKind) -> Error {
    let message = format!("could not {what}");
    if let Some(reported) = error.as_db_error() {
        // The source is left out: its detail may hold values of rows.
        let error = server_error(kind(class(reported.code().code())), message)
            .with_context("severity", reported.severity())
            .with_context("SQLSTATE", reported.code().code())
            .with_context("message", reported.message());
        return match hint(reported) {
            Some(hint) => error.with_hint(hint),
            None => error,
        };
    }
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    if let Some(error) = cause.and_then(tls_failure) {
        return error;
    }
    if error.is_closed() {
        return server_error(kind(FailureClass::Unavailable), message)
            .with_context("message", "the connection is closed");
    }
    server_error(kind(if cause.is_some() { FailureClass::Unavailable } else { FailureClass::Other }), message)
        .with_source(error)
}

fn class(code: &str) -> FailureClass {
    match code {
        "3D000" | "3F000" => FailureClass::Misnamed,
        "42501" => FailureClass::Denied,
        "57P01" | "57P02" | "57P03" | "57P05" => FailureClass::Unavailable,
        // Recovery conflict, deadlock, cancelled query, session timeouts, lock timeout, snapshot too old.
        "40001" | "40P01" | "57014" | "25P03" | "25P04" | "55P03" | "72000" => FailureClass::Cancelled,
        _ => match code.get(..2) {
            Some("28") => FailureClass::Denied,
            Some("08" | "53") => FailureClass::Unavailable,
            _ => FailureClass::Other,
        },
    }
}

/// Whether row-level security refused. The source file is the same in every language of the server's messages.
fn is_by_policy(reported: &DbError) -> bool {
    reported.file() == Some("rls.c")
}

fn hint(reported: &DbError) -> Option<&'static str> {
    match reported.code().code() {
        "42501" if is_by_policy(reported) => Some(
            "a row-level security policy would hide rows of the table: use a role with BYPASSRLS, or one without policies",
        ),
        "42501" => Some(
            "grant the role what it needs: CONNECT on the database, USAGE on the schema, and SELECT on the table \
             or on the columns that --columns names",
        ),
        "28P01" => Some("check the password: it comes from PGPASSWORD, or else from the password file (~/.pgpass)"),
        "28000" => Some("check the role, and its rules in pg_hba.conf of the server"),
        "3D000" => Some("check the database in the URL, or PGDATABASE"),
        "3F000" => Some("create the schema, or name another one with --table"),
        "42P01" | "42883" | "42704" => Some(
            "sessions have the search path pg_catalog: functions that a view calls must name schemas, or have a search_path of \
             their own (alter function … set search_path = …)",
        ),
        "22021" | "22P05" => {
            Some("a text of the table cannot be converted to UTF-8: correct it, or leave its column out with --columns")
        }
        "40001" => Some(
            "queries on a standby conflict with its recovery: raise max_standby_streaming_delay there, or set \
             hot_standby_feedback",
        ),
        "57014" => Some("if it was the statement timeout, see --statement-timeout"),
        "55P03" => Some("another session holds a lock on the table: see --lock-timeout"),
        "53300" => Some("the server has no connection to spare: use fewer --connections, or raise max_connections"),
        _ => None,
    }
}

/// The error of doing `what` during a restore. It ends the transaction, so that nothing is restored.
pub(super) fn restore_failure(what: &'static str) -> impl FnOnce(tokio_postgres::Error) -> Error {
    move |error| {
        let code = error.code().map(|code| code.code().to_owned()).unwrap_or_default();
        let redacted = || Error::new(ErrorKind::Source, format!("could not {what}")).with_context("SQLSTATE", &code);
        match code.as_str() {
            "40001" | "40P01" => redacted().with_hint("another session wrote to the month meanwhile: run it again"),
            "42501" if !error.as_db_error().is_some_and(is_by_policy) => failure(what, error).with_hint(
                "grant the role CREATE on the schema for a table that does not exist yet, SELECT and INSERT on one that \
                 does, and TEMPORARY on the database",
            ),
            "54000" => redacted().with_hint(
                "a row of the month is larger than a page of the server: take slices of fewer --columns by `kt-archive pull`, \
                 and load those",
            ),
            // Messages about data quote values.
            _ if code.starts_with("22") => redacted().with_hint(
                "a column of the table cannot hold a value of the archive: compare its types with the manifest, or restore into a \
                 table that does not exist yet",
            ),
            // Messages of triggers may, too.
            _ if code.starts_with("P0") => {
                redacted().with_hint("a trigger of the table refuses a row: --drill restores into a table that has none")
            }
            _ => failure(what, error),
        }
    }
}

/// The error of a failed TLS handshake, if TLS is the cause of `error`.
pub(super) fn tls_failure(error: &io::Error) -> Option<Error> {
    let reason = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let failure = |kind, message: &str| Error::new(kind, message).with_source(reason.clone());
    Some(match reason {
        rustls::Error::InvalidCertificate(why) => {
            failure(ErrorKind::Source, "the server's certificate is not trusted").with_hint(certificate_hint(why))
        }
        rustls::Error::AlertReceived(_) => failure(ErrorKind::Unauthorized, "the server aborted the TLS handshake")
            .with_hint("it may refuse the client's certificate: see sslcert, sslkey and the server's log"),
        _ => failure(ErrorKind::Source, "the TLS handshake failed"),
    })
}

const fn certificate_hint(why: &CertificateError) -> &'static str {
    match why {
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another name than the host's: connect by that name (with hostaddr=ADDRESS if DNS does not know it), or use \
             sslmode=verify-ca with the authority's certificate as sslrootcert"
        }
        CertificateError::UnknownIssuer => {
            "its authority is unknown: set sslrootcert to the authority's certificate, or put it into ~/.postgresql/root.crt"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired: renew it on the server",
        _ => "check it on the server; it must be X.509 version 3 with a subject alternative name",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlstates_are_classified() {
        let cases = [
            (FailureClass::Denied, ["28000", "28P01", "42501"].as_slice()),
            (FailureClass::Misnamed, &["3D000", "3F000"]),
            (FailureClass::Unavailable, &["57P01", "57P02", "57P03", "57P05", "53300", "53200", "08006", "08P01"]),
            (FailureClass::Cancelled, &["40001", "40P01", "57014", "25P03", "25P04", "55P03", "72000"]),
            (FailureClass::Other, &["57P04", "42P01", "42703", "22P02", "XX000", "", "5"]),
        ];
        for (wanted, codes) in cases {
            for code in codes {
                assert_eq!(class(code), wanted, "{code}");
            }
        }
    }

    #[test]
    fn hints_of_a_server_suit_a_destination_too() {
        for kind in [ErrorKind::SourceUnavailable, ErrorKind::Source] {
            assert!(!server_error(kind, "could not connect").hint().contains("source"), "{kind:?}");
        }
    }

    #[test]
    fn untrusted_certificates_have_a_hint() {
        let reason = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let error = tls_failure(&io::Error::new(io::ErrorKind::InvalidData, reason)).unwrap();
        assert_eq!(error.kind(), ErrorKind::Source);
        assert!(error.hint().contains("sslrootcert"));
        assert!(tls_failure(&io::ErrorKind::ConnectionReset.into()).is_none());
    }
}
