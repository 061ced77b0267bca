//! The built program against a double of the platform, real PostgreSQL and S3 servers, and other people's readers.
//!
//! `tests/run` starts what the tests need. Modules are named after what they protect.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "in tests a panic is the report")]

mod artifact;
mod broken_places;
mod completions;
mod config;
mod config_commands;
mod datasets;
mod doctor;
mod documents;
mod examples;
mod exit_codes;
mod exports_api;
mod files;
mod forgeries;
mod guide_script;
mod house;
mod lying_stores;
mod manifests;
mod manual;
mod memory;
mod metrics;
mod notify;
#[cfg(feature = "otlp")]
mod otlp;
mod packaging;
mod permissions;
mod postgres;
mod pull;
mod readers;
mod reading;
mod rejects;
mod replicas;
mod report;
mod rows;
mod run_twice;
mod s3;
mod schedule;
mod secrets;
mod status;
mod support;
mod tampering;
mod transforms;
mod types;
