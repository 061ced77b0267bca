//! Doubles for tests, also for those of other crates (feature `testing`).

mod faulty_store;

pub use faulty_store::{Answer, Fault, FaultyStore, Operation};
