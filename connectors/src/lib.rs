//! The edges of the archive: sources that events come from, and the sink that files go to.
//!
//! Nothing here knows stages, the command line or the order of a run. Time, environment and folders are passed in.

mod artifact;
pub mod clock;
pub mod demo;
pub mod error;
pub mod exports_api;
pub mod file;
pub mod http;
pub mod postgres;
pub mod probe;
pub mod progress;
pub mod retry;
pub mod secret;
pub mod sink;
pub mod source;
pub mod spool;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

/// The target of spans: what logs leave out, and collectors of traces take.
pub const TRACE_TARGET: &str = "archive::trace";

pub use clock::Clock;
pub use error::{Error, ErrorKind, Result};
pub use probe::Probe;
pub use progress::Progress;
pub use secret::Secret;
pub use sink::Sink;
pub use source::{EventStream, LocalArtifact, Source, SourceItem, SourceReport};
