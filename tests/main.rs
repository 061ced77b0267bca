//! Runs the built program against a double of the platform, real PostgreSQL and S3 servers, and readers by others.
//!
//! `tests/run` starts the servers. A module is named after what its tests protect.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in tests a panic is the report")]

mod backups;
mod completions;
mod config;
mod contents;
mod crashes;
mod doctor;
mod documents;
mod exports_api;
mod files;
mod guide_backup;
mod house;
mod limits;
mod manual;
mod metrics;
mod networks;
mod notify;
#[cfg(feature = "otlp")]
mod otlp;
mod packaging;
mod postgres;
mod programs;
mod pull;
mod replicas;
mod report;
mod runs;
mod s3;
mod schedule;
mod status;
mod support;
mod terminal;
mod verify;
