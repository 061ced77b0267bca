//! Events of a month that share an id.
//!
//! Exports repeat events: at the edges of pages, after a retry, where two queries overlap. A repetition is dropped and
//! counted; two events with one id and different content are a conflict that a person must look at.
//!
//! Months have no upper size, so nothing here holds a month in memory. The first read of a month only indexes ids
//! ([`IdIndex`]), 24 bytes an event, spilled to disk. Almost every month ends there. Where ids are shared, the month is
//! read again to compare those few events ([`Comparison`]), and a last time to leave the repetitions out
//! ([`Repetitions`]).

mod comparison;
mod id_index;
mod repetitions;

pub use comparison::{Comparison, Verdict};
pub use id_index::{IdIndex, Suspects};
pub use repetitions::Repetitions;

#[cfg(test)]
mod tests;
