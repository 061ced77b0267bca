//! Inputs that ask for much memory (`memory.py`, `inputs.py`), surroundings that lack something (`surroundings.py`), and
//! buckets with Object Lock (`locked.py`), judged by readers of others.
//!
//! Here are small inputs and a sample of the levels; `tests/run --long` has all of them.

use crate::support::suite::{is_long, report_of};

/// Tries at least `trials` commands in the surroundings of `group`: at every `K`th level, or at all of them if
/// `KT_TEST_LONG` is set.
#[track_caller]
fn assert_survives(group: &str, every: u32, trials: u64) {
    let every = if is_long() { 1 } else { every };
    let report = report_of("limits/surroundings.py", &["--only", group, "--every", &every.to_string()]);
    let impossible = !report["impossible"].as_array().unwrap().is_empty();
    assert!(impossible || report["trials"][group].as_u64().unwrap() >= trials, "{report:#}");
}

#[test]
fn inputs_of_any_size_and_shape_take_256_mib_at_most() {
    let report = report_of("limits/memory.py", &["--scale", if is_long() { "whole" } else { "small" }]);
    assert!(report["inputs"].as_object().unwrap().len() >= 30, "{report:#}");
}

#[test]
fn limit_of_file_sizes_is_reported() {
    assert_survives("file_size", 4, 15);
}

#[test]
fn too_few_descriptors_are_reported() {
    assert_survives("descriptors", 6, 40);
}

#[test]
fn full_disk_is_reported_and_loses_nothing() {
    assert_survives("full_disk", 7, 10);
}

#[test]
fn full_ext4_is_reported_and_loses_nothing() {
    assert_survives("full_ext4", 3, 2);
}

#[test]
fn file_systems_without_inodes_are_reported() {
    assert_survives("full_inodes", 4, 10);
}

#[test]
fn full_folders_for_temporary_files_are_reported() {
    assert_survives("full_temporary_folder", 1, 5);
}

#[test]
fn read_only_file_systems_are_read_and_reported() {
    assert_survives("read_only", 1, 10);
}

#[test]
fn home_may_be_missing() {
    assert_survives("home", 1, 10);
}

#[test]
fn another_user_reads_what_it_may() {
    assert_survives("another_user", 1, 15);
}

#[test]
fn temporary_folder_may_be_missing() {
    assert_survives("temporary_folder", 1, 15);
}

#[test]
fn umask_changes_no_promise() {
    assert_survives("umask", 1, 10);
}

#[test]
fn streams_may_be_closed_or_full() {
    assert_survives("streams", 1, 40);
}

#[test]
fn working_folder_may_be_gone() {
    assert_survives("working_folder", 1, 5);
}

#[test]
fn bucket_with_object_lock_serves_every_command_and_shows_attacks() {
    let report = report_of("limits/locked.py", &["--kills", if is_long() { "100" } else { "5" }]);
    assert!(report["checks"].as_u64().unwrap() >= 100, "{report:#}");
}
