//! Copies elsewhere, also after backups were removed. The guide makes none.

use super::{EVENTS, Guide, files_below, scripts};
use crate::support::s3::BucketPrefix;
use std::fs;

/// A platform whose backups are at `root`, with a host that may use the S3 server.
fn guide(root: &str) -> Guide {
    let mut guide = Guide::new(EVENTS);
    BucketPrefix::admit(&mut guide.host);
    if !root.is_empty() {
        guide.host.set("KT_ARCHIVE_BACKUPS", root);
    }
    guide
}

#[test]
fn lost_host_is_recovered_from_a_replica() {
    let guide = guide("");
    guide.dump();
    // Its database and its dumps are on one host.
    fs::remove_dir_all(guide.host.path("guide")).unwrap();
    guide.shell(scripts::VERIFY).expect_failure();

    let bucket = BucketPrefix::plain("replica");
    let folder = guide.host.path("replica").display().to_string();
    let replicas = ["--replica", &folder, "--replica", &bucket.url()];
    let run = |command: &[&str]| guide.run(&[command, &replicas[..]].concat(), 0);
    for _ in 0..3 {
        run(&["backup", "database"]);
    }
    run(&["backup", "drill"]);
    let pruned = run(&["backup", "prune", "--keep-daily", "1", "--keep-min", "1", "--confirm"]);
    let states = pruned["replicas"].as_array().unwrap().iter().map(|replica| replica["state"].as_str().unwrap());
    assert_eq!(states.collect::<Vec<_>>(), ["current", "current"], "{pruned}");
    assert_eq!(pruned["removed"].as_array().unwrap().len(), 2);

    let own = files_below(&guide.host.path("backups"));
    assert_eq!(own.iter().filter(|path| path.contains("/part-")).count(), 1, "{own:?}");
    bucket.download(guide.host.path("downloaded"));
    for copy in ["replica", "downloaded"] {
        assert_eq!(files_below(&guide.host.path(copy)), own, "{copy}");
        for file in &own {
            let [one, other] = ["backups", copy].map(|root| fs::read(guide.host.path(root).join(file)).unwrap());
            assert_eq!(one, other, "{copy}: {file}");
        }
    }
    fs::remove_dir_all(guide.host.path("backups")).unwrap();
    for (number, replica) in [folder, bucket.url()].iter().enumerate() {
        guide.run(&["backup", "verify", "--backups", replica], 0);
        let new = guide.url_of(&format!("{}_restored_{number}", guide.database.name()));
        let recovered = guide.run(&["recover", "database", "--backups", replica, "--into", &new], 0);
        assert_eq!((&recovered["equal"], &recovered["backup"]), (&true.into(), &3.into()));
    }
}

#[test]
fn replica_that_was_away_is_brought_up_and_loses_what_was_removed() {
    let guide = guide("");
    let folder = guide.host.path("replica");
    let replica = folder.display().to_string();
    guide.run(&["backup", "database", "--replica", &replica], 0);
    // As a disk that is not there.
    fs::rename(&folder, guide.host.path("away")).unwrap();
    fs::write(&folder, "not a folder").unwrap();
    let failed = guide.host.run(&["backup", "database", "--json", "--replica", &replica]).expect(3);
    assert_eq!((&failed.json()["sequence"], guide.manifests()), (&2.into(), 2));
    guide.back_up();
    guide.run(&["backup", "prune", "--keep-daily", "1", "--keep-min", "1", "--confirm"], 0);
    fs::remove_file(&folder).unwrap();
    fs::rename(guide.host.path("away"), &folder).unwrap();
    let pruned =
        guide.run(&["backup", "prune", "--keep-daily", "1", "--keep-min", "1", "--confirm", "--replica", &replica], 0);
    assert_eq!(pruned["replicas"][0]["state"], "current", "{pruned}");
    assert_eq!(files_below(&folder), guide.objects());
    guide.run(&["backup", "verify", "--backups", &replica], 0);
}

#[test]
fn bucket_holds_backups_with_and_without_object_lock() {
    for bucket in [BucketPrefix::plain("backups"), BucketPrefix::locked("backups"), BucketPrefix::versioned("backups")]
    {
        let guide = guide(&bucket.url());
        for _ in 0..2 {
            guide.run(&["backup", "database", "--part-size", "1MiB"], 0);
        }
        guide.run(&["backup", "verify"], 0);
        assert_eq!(guide.run(&["backup", "drill"], 0)["equal"], true);
        let pruned = guide.run(&["backup", "prune", "--keep-daily", "1", "--keep-min", "1", "--confirm"], 0);
        assert_eq!(pruned["removed"][0]["sequence"], 1, "{pruned}");
        guide.run(&["backup", "verify"], 0);
        // The removal is repeated by the next call, and finds nothing to do.
        let again = guide.run(&["backup", "prune", "--keep-daily", "1", "--keep-min", "1", "--confirm"], 0);
        assert_eq!(again["removed"].as_array().unwrap().len(), 0);
        let into = format!("postgres://postgres@{}/{}_restored", guide.database.server(), guide.database.name());
        assert_eq!(guide.run(&["recover", "database", "--into", &into], 0)["backup"], 2);
    }
}

#[test]
fn backups_in_a_bucket_are_made_once_by_two_hosts() {
    let bucket = BucketPrefix::plain("two-hosts");
    let (one, other) = (guide(&bucket.url()), guide(&bucket.url()));
    let starts = [&one, &other].map(|guide| guide.host.start(&["backup", "database", "--json"]));
    let codes = starts.map(|running| running.wait().code);
    assert!(codes.iter().all(|code| matches!(code, Some(0 | 8 | 75))), "{codes:?}");
    let committed = codes.iter().filter(|code| **code == Some(0)).count() as u64;
    assert!(committed > 0);
    let found = one.run(&["backup", "verify"], 0);
    assert_eq!(found["manifests"], committed);
}
