//! The connectors of the archive: sources that read events, and the sink that stores files.
//!
//! This crate knows no stages, no command line and no order of a run. Time, environment and folders are passed in.

mod artifact;
pub mod clock;
pub mod demo;
pub mod error;
pub mod exports_api;
pub mod file;
#[cfg(feature = "testing")]
pub mod fuzzing;
pub mod http;
pub mod nearest;
pub mod postgres;
mod probe;
pub mod program;
pub mod progress;
pub mod retry;
pub mod secret;
pub mod sink;
mod source;
pub mod spool;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

/// The target of tracing spans: logs leave it out, trace collectors read it.
pub const TRACE_TARGET: &str = "archive::trace";

pub use artifact::ArtifactRules;
pub use clock::Clock;
pub use error::{Error, ErrorKind, Result};
pub use probe::Probe;
pub use progress::Progress;
pub use secret::Secret;
pub use sink::Sink;
pub use source::{EventStream, LocalArtifact, Source, SourceItem, SourceReport};
