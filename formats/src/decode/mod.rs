//! Artifacts into events.

pub mod csv;
