//! `kt-archive`: governance events of Keeptrusts, archived by month, with manifests that prove that nothing is missing
//! and nothing was changed.
//!
//! Data flow one way, and [`month`] reads like this line:
//!
//! ```text
//! Source -> EventBatch -> EventBatch -> StagedFile -> StoredFile -> Manifest -> Committed
//!   read      transform     encode         check, store      commit
//!    |                                     ^
//!    `------------- artifact --------------'
//! ```
//!
//! # Where to find what
//!
//! | question | module |
//! |---|---|
//! | which months are to be archived? | [`plan`], pure |
//! | what happens to one month? | [`month`], and a file for each [`stage`] |
//! | what is an event that appears twice? | [`duplicates`] |
//! | what may be done to events on the way? | [`transform`] |
//! | how are the delivered bytes kept? | [`stage::artifact`] |
//! | is the archive what was committed? | [`mod@verify`] |
//! | are its copies what the archive is? | [`mod@replicate`] |
//! | what does a reviewer get? | [`mod@pull`] |
//! | what is handed to an auditor? | [`mod@page`], with the counts of `activity` |
//! | does a month go back into a database? | [`mod@restore`] |
//! | what does a cron job see? | [`report`], [`exit`] |
//! | who is told how a run went? | [`monitoring`] |
//! | what runs it every month? | [`mod@schedule`] |
//! | would a run work here? | [`mod@doctor`] |
//! | what may a user set? | [`config`], checked into [`settings`] |
//!
//! Below this crate lie `archive_connectors` (sources, and the sink over an object store) and `archive_formats` (what the
//! bytes look like). No crate knows one above it. `examples/` shows all three in use.
//!
//! # Invariants
//!
//! 1. A manifest is written only after every file that it names is stored and confirmed: manifests are made of
//!    [`StoredFile`](archive_connectors::sink::StoredFile)s, and only the sink makes those.
//! 2. The report at the end of a source's stream is the only way to a commit. A short read is an error, never an end.
//! 3. The state of an archive is replayed from its manifests. Nothing else records progress; the state folder may be
//!    lost.
//! 4. The same events make the same bytes, whatever the host, the time and the number of cores.
//! 5. Committed objects are never changed: names carry digests, manifests are created only where nothing is.
//! 6. Windows are half-open, in UTC, and never cross a month.
//! 7. No event value is ever logged, and no secret. Counts, names of files, windows and digests may be.
//! 8. Memory does not grow with the size of a month.
//! 9. Only [`cli`] prints, and only it knows clap and indicatif.

mod activity;
pub mod address;
pub mod archive;
mod calendar;
pub mod cli;
pub mod config;
pub mod doctor;
pub mod duplicates;
pub mod environment;
pub mod exit;
pub mod expected_head;
pub mod lock;
pub mod monitoring;
pub mod month;
pub mod month_ranges;
mod numbers;
pub mod observer;
mod output;
pub mod page;
pub mod plan;
pub mod pull;
mod reader;
pub mod replicate;
pub mod report;
pub mod restore;
pub mod run;
pub mod schedule;
pub mod settings;
pub mod spans;
pub mod stage;
pub mod state;
pub mod status;
pub mod style;
mod table;
pub mod transform;
pub mod units;
pub mod verify;
