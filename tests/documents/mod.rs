//! The documentation: every command, snippet and example in it is run as written.

mod examples;
mod quick_start;
mod reading;
mod recovery;
