//! What is removed when backups go wrong.

use super::{EVENTS, Guide, dumps_without_rows, scripts};
use std::{process::Command, thread::sleep, time::Duration};

/// Makes a file so many days old.
fn age(path: &std::path::Path, days: u32) {
    let set = Command::new("touch").args(["-d", &format!("{days} days ago")]).arg(path).status().unwrap();
    assert!(set.success());
}

fn numbers(document: &serde_json::Value, list: &str) -> Vec<u64> {
    document[list].as_array().unwrap().iter().map(|backup| backup["sequence"].as_u64().unwrap()).collect()
}

#[test]
fn wrong_dumps_push_out_the_good_ones_of_the_guide() {
    let guide = Guide::new(EVENTS);
    let good = guide.dump();
    age(&good, 32);
    // The names have seconds.
    sleep(Duration::from_millis(1100));
    let wrong = dumps_without_rows();
    let output = guide.shell_with(wrong.path(), scripts::BACKUP).output().unwrap();
    assert!(super::Ended::new(&output).expect_success().contains("Backup verified"));
    assert!(!good.is_file() && guide.dumps().len() == 1);

    guide.back_up();
    guide.run(&["backup", "drill"], 0);
    let back_up_wrong = || guide.run(&["backup", "database", "--pg-bin", wrong.path().to_str().unwrap()], 0);
    back_up_wrong();
    assert_eq!(guide.run(&["backup", "drill"], 4)["equal"], false);
    back_up_wrong();
    let keep = ["backup", "prune", "--keep-daily", "1", "--keep-min", "1"];
    // Backups 1 (proved), 3 (found different) and 5.
    let named = guide.run(&keep, 0);
    assert_eq!((numbers(&named, "kept"), numbers(&named, "removed")), (vec![1, 5], vec![3]), "{named}");
    assert!(guide.files(3).iter().all(|file| file.is_file()), "a dry run removes nothing");
    let done = guide.run(&[&keep[..], &["--confirm"]].concat(), 0);
    assert_eq!((numbers(&done, "kept"), numbers(&done, "removed")), (vec![1, 5], vec![3]), "{done}");
    assert!(guide.files(3).iter().all(|file| !file.is_file()));
    assert_eq!(guide.run(&["recover", "plan"], 0)["newest_proved"]["sequence"], 1);
    guide.run(&["backup", "verify"], 0);
    guide.run(&["backup", "drill", "--backup", "1"], 0);
    guide.run(&["backup", "drill", "--backup", "3"], 2);
}

#[test]
fn some_backups_stay_whatever_their_age() {
    let guide = Guide::new(EVENTS);
    for _ in 0..4 {
        guide.back_up();
    }
    let prune = |min: &[&str]| guide.run(&[&["backup", "prune", "--keep-daily", "1", "--confirm"], min].concat(), 0);
    assert_eq!(numbers(&prune(&["--keep-min", "4"]), "removed"), [] as [u64; 0]);
    // By default three.
    assert_eq!(numbers(&prune(&[]), "removed"), [1]);
    guide.run(&["backup", "prune", "--keep-daily", "1", "--keep-min", "0", "--confirm"], 2);
    guide.run(&["backup", "prune", "--confirm"], 2);
    guide.run(&["backup", "verify"], 0);
}

#[test]
fn guide_removes_the_last_dumps_while_backups_fail() {
    let mut guide = Guide::new(EVENTS);
    let dump = guide.dump();
    age(&dump, 32);
    // Its last command, which another cron line may run after backups stopped.
    let find = scripts::BACKUP.lines().find(|line| line.starts_with("find ")).unwrap();
    guide.shell(&format!("BACKUP_DIR=/var/backups/keeptrusts; RETENTION_DAYS=30; {find}")).expect_success();
    assert!(!dump.is_file());

    guide.back_up();
    guide.back_up();
    guide.set_days_later(40);
    let keep = ["backup", "prune", "--keep-daily", "1", "--keep-min", "1", "--confirm"];
    let refused = guide.run(&keep, 5);
    assert!(refused["error"]["message"].as_str().unwrap().contains("nothing is removed"), "{refused}");
    assert!(guide.files(1).iter().all(|file| file.is_file()));
    assert_eq!(guide.manifests(), 2);
    // Whether the newest may be that old is the operator's decision.
    assert_eq!(numbers(&guide.run(&[&keep[..], &["--rpo", "60d"]].concat(), 0), "removed"), [1]);
}

#[test]
fn backups_that_stopped_are_noticed() {
    let mut guide = Guide::new(EVENTS);
    // A log file has no reader, and the last dump is taken for a good one however old it is.
    let dump = guide.dump();
    age(&dump, 29);
    guide.shell(&format!("({}) >> /var/backups/keeptrusts/log 2>&1", scripts::LIST)).expect_success();

    guide.back_up();
    guide.run(&["backup", "drill"], 0);
    guide.run(&["recover", "plan", "--rpo", "24h", "--rto", "1h"], 0);
    guide.set_days_later(2);
    let missed = guide.run(&["recover", "plan", "--rpo", "24h"], 5);
    assert!(missed["missed"][0].as_str().unwrap().contains("--rpo"), "{missed}");
}
