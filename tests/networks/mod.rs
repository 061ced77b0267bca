//! Harm to each request and each SQL statement of a command, and kills at random moments: `networks.py` and `kills.py` have
//! the cases. Readers of others judge.
//!
//! Here each scenario has a sample of its faults; `tests/run --long` has all of them, and a thousand kills.

use crate::support::suite::{assert_no_failures, is_long};

/// Runs every `K`th fault of a scenario; all of them in the long run.
#[track_caller]
fn assert_whole_after_faults(scenario: &str, every: u32) {
    let (every, least) = if is_long() { (1, 50) } else { (every, 5) };
    assert_no_failures("networks/networks.py", &["--only", scenario, "--every", &every.to_string()], least);
}

#[test]
fn run_into_a_bucket_is_whole_after_any_network_fault() {
    assert_whole_after_faults("s3-run", 29);
}

#[test]
fn second_month_in_a_bucket_is_whole_after_any_network_fault() {
    assert_whole_after_faults("s3-run-again", 31);
}

#[test]
fn resumed_run_into_a_bucket_is_whole_after_any_network_fault() {
    assert_whole_after_faults("s3-run-resumed", 31);
}

#[test]
fn backfill_into_a_bucket_is_whole_after_any_network_fault() {
    assert_whole_after_faults("s3-backfill", 67);
}

#[test]
#[ignore = "minutes; `tests/run --long` runs it"]
fn upload_in_parts_is_whole_after_any_network_fault() {
    // More at once would take more memory of the S3 server than a small machine has.
    assert_no_failures("networks/networks.py", &["--only", "s3-large", "--workers", "3"], 50);
}

#[test]
fn replica_in_a_bucket_is_whole_after_any_network_fault() {
    assert_whole_after_faults("s3-replicate", 31);
}

#[test]
fn repaired_replica_in_a_bucket_is_whole_after_any_network_fault() {
    assert_whole_after_faults("s3-repair", 31);
}

#[test]
fn csv_of_the_api_is_whole_after_any_network_fault() {
    assert_whole_after_faults("api-csv", 7);
}

#[test]
fn json_of_the_api_is_whole_after_any_network_fault() {
    assert_whole_after_faults("api-json", 11);
}

#[test]
fn backfill_from_the_api_is_whole_after_any_network_fault() {
    assert_whole_after_faults("api-backfill", 29);
}

#[test]
#[ignore = "minutes; `tests/run --long` runs it"]
fn month_of_the_api_is_whole_after_a_stall_of_a_minute() {
    assert_no_failures("networks/networks.py", &["--only", "api-patient"], 5);
}

#[test]
fn month_of_postgres_is_whole_after_any_network_fault() {
    assert_whole_after_faults("postgres-run", 37);
}

#[test]
fn backfill_from_postgres_is_whole_after_any_network_fault() {
    assert_whole_after_faults("postgres-backfill", 109);
}

#[test]
fn restore_from_a_bucket_is_whole_or_absent_after_any_network_fault() {
    assert_whole_after_faults("restore-from-s3", 11);
}

#[test]
fn restore_into_postgres_is_whole_or_absent_after_any_network_fault() {
    assert_whole_after_faults("restore-to-postgres", 41);
}

#[test]
fn archives_are_whole_after_kills_at_random_moments() {
    let kills = if is_long() { 1000 } else { 32 };
    assert_no_failures("networks/kills.py", &["--kills", &kills.to_string()], kills);
}
