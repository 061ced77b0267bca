//! What the bytes of an archive look like: months and windows, schemas, decoders, encoders, digests, names and manifests.
//!
//! Everything here is a pure function or a value. This crate knows no network, no clock, no file system and no async
//! runtime; encoders write into whatever [`std::io::Write`] they are given.

pub mod batch;
pub mod catalogue;
pub mod chain;
pub mod column_digest;
mod column_type;
pub mod dataset;
pub mod decode;
pub mod digest;
pub mod encode;
pub mod key;
pub mod manifest;
pub mod reject;
pub mod schema;
pub mod slice_manifest;
pub mod time;

pub use batch::{EventBatch, Ids};
pub use chain::{Chain, Entry, Head};
pub use column_type::{ColumnType, UnknownType};
pub use dataset::Dataset;
pub use digest::Sha256;
pub use key::{ArtifactKind, FileFormat};
pub use manifest::Manifest;
pub use reject::Reject;
pub use schema::{Column, Schema};
pub use time::{Month, Timestamp, Window};
