//! The contents of a whole database in one snapshot, which a dump may share.
//!
//! [`DatabaseSnapshot::take`] exports a snapshot, checks the rights that a dump needs (`rights`), and locks the tables
//! (`relations`), so that a session that wants to alter one waits, and `pg_dump` behind it: it needs a
//! `--lock-wait-timeout`. `pg_dump --snapshot` dumps the same one, while [`DatabaseSnapshot::contents`] reads it by several
//! connections (`reader`, `large_objects`); the roles (`roles`) belong to the server. [`DatabaseSnapshot::finish`] proves that the session lived until then. What the
//! digests cover: [`archive_formats::database_contents`].

mod access;
mod identity;
mod large_objects;
mod reader;
mod relations;
mod rights;
mod roles;
mod snapshot;

pub use super::copy_sum::ReadAmounts;
pub use access::Access;
pub(super) use access::BEGIN;
pub use snapshot::DatabaseSnapshot;
