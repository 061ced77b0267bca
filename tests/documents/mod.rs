//! Pages that people follow: each command of them, run as it is written.

mod quick_start;
mod recovery;
