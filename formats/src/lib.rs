//! The format of an archive: months and windows, schemas, decoders, encoders, digests, object names and manifests.
//!
//! Everything here is a pure function or a value. This crate uses no network, clock, file system or async runtime;
//! encoders write to any [`std::io::Write`]. Threads of a [`pool`] do independent work side by side.

pub mod backup_manifest;
pub mod batch;
pub mod catalogue;
pub mod chain;
pub mod column_digest;
mod column_type;
pub mod commit_record;
pub mod database_contents;
pub mod dataset;
pub mod decode;
pub mod digest;
pub mod digest_sum;
pub mod encode;
pub mod gzip;
pub mod key;
pub mod manifest;
mod parquet_ranges;
pub mod pool;
pub mod printable;

pub mod reject;
pub mod schema;
pub mod slice_manifest;
pub mod time;

pub use backup_manifest::BackupManifest;
pub use batch::{EventBatch, Ids, TimeSpan};
pub use chain::{Chain, Entry, Head};
pub use column_type::{ColumnType, UnknownType};
pub use commit_record::{CommitRecord, FileRecord, ObjectRecord};
pub use database_contents::DatabaseContents;
pub use dataset::Dataset;
pub use digest::Sha256;
pub use digest_sum::DigestSum;
pub use key::{ArtifactKind, FileFormat};
pub use manifest::Manifest;
pub use parquet_ranges::{ParquetPart, ParquetRanges, RangesError, RowGroup};
pub use printable::printable;

pub use reject::Reject;
pub use schema::{Column, Schema};
pub use time::{Month, Timestamp, Window};
