//! Archives governance events of Keeptrusts by month, with manifests that prove that nothing is missing and nothing was
//! changed.
//!
//! This is the library; the program `kt-archive` is the crate in `pipeline/cli/`. Events flow one way, as in [`month`]:
//!
//! ```text
//! Source -> EventBatch -> EventBatch -> StagedFile -> StoredFile -> Manifest -> Committed
//!   read      transform     encode         check, store      commit
//!    |                                     ^
//!    `------------- artifact --------------'
//! ```
//!
//! # Modules
//!
//! | topic | module |
//! |---|---|
//! | an archive: its store, identity and chain | [`Archive`] |
//! | backups of other tiers | [`backup`] |
//! | months to archive | [`plan`], without I/O |
//! | a run, one month, its stages | [`mod@run`], [`month`], [`stage`] |
//! | events that share an id | `duplicates` |
//! | dropped, renamed and pseudonymised columns, types as text | `transform` |
//! | reading committed files | `reader` |
//! | verification | [`mod@verify`] |
//! | replicas | [`mod@replicate`] |
//! | slices for a reviewer | [`mod@pull`] |
//! | loading a month back into a database | [`mod@restore`] |
//! | the state of an archive, and its events by day | [`mod@status`], [`activity`] |
//! | checks before the first run | [`mod@doctor`] |
//! | what a command prints, and its exit code | [`report`], [`exit`] |
//! | metrics, notifications, traces | [`monitoring`] |
//! | options, and the checked settings | [`config`], [`settings`] |
//!
//! Below this crate are `archive_connectors` (sources, and the sink over an object store) and `archive_formats` (file
//! formats). Dependencies point downwards only. `examples/` uses all three.
//!
//! # Invariants
//!
//! 1. A manifest is written only after every file that it names is stored and confirmed: manifests are built from
//!    [`StoredFile`](archive_connectors::sink::StoredFile)s, which only the sink creates.
//! 2. A month is committed only after the report at the end of the source's stream. A short read is an error.
//! 3. The state of an archive is replayed from its manifests. Nothing else records progress; the state folder may be
//!    lost.
//! 4. The same events produce the same bytes, on any host, at any time, with any number of cores.
//! 5. Committed objects are never changed: names contain digests, and manifests are created with put-if-absent.
//! 6. Windows are half-open, in UTC, and never cross a month.
//! 7. No event value and no secret is ever logged. Counts, file names, windows and digests may be.
//! 8. Memory does not grow with the size of a month.
//! 9. This crate prints nothing and does not depend on the command line.

pub mod activity;
pub mod address;
mod archive;
pub mod backup;
pub mod config;
pub mod doctor;
pub(crate) mod duplicates;
pub mod environment;
pub mod exit;
pub(crate) mod expected_head;
pub mod human;
pub(crate) mod lock;
pub mod monitoring;
pub mod month;
pub mod observer;
pub mod output;
pub mod plan;
pub mod provenance;
pub mod pull;
mod reader;
pub mod replicate;
pub mod report;
pub mod restore;
pub mod run;
pub mod settings;
pub mod stage;
pub(crate) mod state;
pub mod status;
pub mod style;
mod table;
#[cfg(test)]
mod testing;
pub(crate) mod transform;
pub mod units;
pub mod verify;
pub mod wrap;

pub use archive::{Archive, ArchiveRoot};
