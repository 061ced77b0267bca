//! Replicas in buckets, and out of them.

use super::{Copies, states};
use crate::support::s3::Place;
use std::net::TcpListener;

fn assert_is_a_replica(copies: &mut Copies, place: &Place) {
    Place::admit(&mut copies.host);
    let outcome = copies.backfill("2025-04", "2025-04", &["--replica", &place.url()]).expect(0);
    assert_eq!(states(&outcome), ["current"]);
    assert_eq!(place.download(copies.host.path("download")).snapshot(), copies.archive.snapshot());
    copies.host.run(&["verify", "--json", "--archive", &place.url()]).expect(0);
    // And back again, into a folder.
    let folder = copies.replica.root().display().to_string();
    copies.host.run(&["replicate", "--json", "--archive", &place.url(), "--replica", &folder]).expect(0);
    copies.assert_same();
}

#[test]
fn a_bucket_is_a_replica_of_a_folder() {
    assert_is_a_replica(&mut Copies::new(), &Place::plain("replica"));
}

#[test]
fn a_bucket_with_object_lock_is_a_replica_and_can_be_mended() {
    let (mut copies, place) = (Copies::new(), Place::locked("replica"));
    assert_is_a_replica(&mut copies, &place);
    let damaged = [copies.archive.file("2025-02", "csv"), "manifests/00000002.json".to_owned()];
    for object in &damaged {
        place.put(object, "damaged");
    }
    copies.replicate_to(&place.url(), &[]).expect(4);
    let outcome = copies.replicate_to(&place.url(), &["--repair"]).expect(0);
    assert_eq!(outcome.json()["replicas"][0]["mended"], damaged.len());
    assert_eq!(place.download(copies.host.path("mended")).snapshot(), copies.archive.snapshot());
}

#[test]
fn a_bucket_that_does_not_answer_is_3_and_healed_later() {
    let (mut copies, place) = (Copies::new(), Place::plain("down"));
    Place::admit(&mut copies.host);
    // Nobody listens there any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    copies.host.set("AWS_ENDPOINT", format!("http://127.0.0.1:{port}"));
    let outcome = copies.backfill("2025-04", "2025-04", &["--replica", &place.url()]).expect(3);
    assert_eq!(states(&outcome), ["failed"]);
    Place::admit(&mut copies.host);
    copies.backfill("2025-04", "2025-04", &["--replica", &place.url()]).expect(0);
    assert_eq!(place.download(copies.host.path("download")).snapshot(), copies.archive.snapshot());
}
