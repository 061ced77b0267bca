//! Runs that are refused, interrupted, repeated or lied to: exit codes, recovery, secrets, memory.

mod exit_codes;
mod faulty_stores;
mod file_systems;
mod flushes;
mod guide_script;
mod memory;
mod repetition;
mod secrets;
mod sources;
