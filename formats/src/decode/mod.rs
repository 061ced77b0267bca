//! Artifacts and files into events.

pub mod csv;
pub mod parquet;
