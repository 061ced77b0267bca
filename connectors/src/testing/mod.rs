//! Doubles for the tests of this crate.

mod faulty_store;

pub use faulty_store::{Answer, Fault, FaultyStore, Operation};
