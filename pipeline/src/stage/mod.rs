//! The stages of a month, each a plain function and each in its own file. [`crate::month`] puts them in a row.

pub mod artifact;
pub mod encode;
pub mod read;
pub mod store;
