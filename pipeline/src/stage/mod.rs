//! The stages of a month, one function and one file each. [`crate::month`] combines them.

pub mod artifact;
pub mod encode;
pub mod read;
pub mod store;
