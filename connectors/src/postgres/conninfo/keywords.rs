//! The keywords of connection strings, and the variables that stand in for them.

use crate::Error;

/// The name of a setting, as libpq has it.
pub(super) type Keyword = &'static str;

/// Each keyword that is understood, with its variable. `PGAPPNAME` is not read: servers see who reads them.
const KEYWORDS: &[(Keyword, Option<&str>)] = &[
    ("host", Some("PGHOST")),
    ("hostaddr", Some("PGHOSTADDR")),
    ("port", Some("PGPORT")),
    ("dbname", Some("PGDATABASE")),
    ("user", Some("PGUSER")),
    ("passfile", Some("PGPASSFILE")),
    ("sslmode", Some("PGSSLMODE")),
    ("sslrootcert", Some("PGSSLROOTCERT")),
    ("sslcert", Some("PGSSLCERT")),
    ("sslkey", Some("PGSSLKEY")),
    ("channel_binding", Some("PGCHANNELBINDING")),
    ("connect_timeout", Some("PGCONNECT_TIMEOUT")),
    ("application_name", None),
    ("options", Some("PGOPTIONS")),
    ("target_session_attrs", Some("PGTARGETSESSIONATTRS")),
];

/// Variables that change where a connection leads or whom it trusts, and that nothing here can read.
pub(super) const UNREADABLE: &[&str] = &["PGSERVICE", "PGSERVICEFILE", "PGSSLCRL", "PGSSLCRLDIR", "PGREQUIREAUTH"];

/// The keyword that is called `name`.
pub(super) fn find(name: &str) -> Result<Keyword, Error> {
    let known = KEYWORDS.iter().map(|(keyword, _)| *keyword);
    known.clone().find(|keyword| *keyword == name).ok_or_else(|| {
        super::refused("the source's address has a parameter that is not known")
            .with_context("parameter", name)
            .with_hint(format!("the known ones are {}", known.collect::<Vec<_>>().join(", ")))
    })
}

/// The variables that are read, with their keywords.
pub(super) fn variables() -> impl Iterator<Item = (Keyword, &'static str)> {
    KEYWORDS.iter().filter_map(|(keyword, variable)| variable.map(|variable| (*keyword, variable)))
}
