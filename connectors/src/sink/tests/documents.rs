//! Documents: their size, and their replacement in repairs.

use super::*;
use crate::testing::{Answer, Fault, Operation};

#[tokio::test]
async fn a_document_of_more_than_64_mib_is_refused() {
    let fixture = fixture();
    let limit = 64 << 20;
    for (bytes, is_read) in [(limit, true), (limit + 1, false)] {
        fixture.sink.store.put(&Path::from(key::ARCHIVE), vec![b' '; bytes].into()).await.unwrap();
        assert_eq!(fixture.sink.document(key::ARCHIVE).await.is_ok(), is_read, "{bytes}");
    }
}

async fn replaced(fixture: &Fixture, bytes: &'static str) -> Result<()> {
    fixture.sink.replace_document(key::ARCHIVE, bytes.into()).await
}

#[tokio::test]
async fn the_content_afterwards_decides_whether_a_document_was_replaced() {
    let fixture = fixture();
    fixture.put(key::ARCHIVE, "damaged").await;
    replaced(&fixture, "whole").await.unwrap();
    assert_eq!(fixture.get(key::ARCHIVE).await.unwrap(), "whole");
    fixture.store.plan(Operation::Put, "", Fault::FailAfterEffect(Answer::Unavailable));
    replaced(&fixture, "its answer is lost").await.unwrap();
    fixture.store.plan(Operation::Put, "", Fault::Reject(Answer::Unavailable));
    assert_eq!(replaced(&fixture, "refused").await.unwrap_err().kind(), ErrorKind::Store);
    assert_eq!(fixture.get(key::ARCHIVE).await.unwrap(), "its answer is lost");
}

#[tokio::test]
async fn a_store_that_keeps_another_document_replaces_none() {
    let fixture = fixture();
    let store = fixture.sink.store.clone();
    let change = async move {
        store.put(&Path::from(key::ARCHIVE), "other".into()).await.unwrap();
    };
    fixture.store.plan(Operation::Get, "", Fault::race_with(change));
    assert_eq!(replaced(&fixture, "whole").await.unwrap_err().kind(), ErrorKind::Store);
    fixture.store.plan(Operation::Get, "", Fault::Reject(Answer::Unavailable));
    assert_eq!(replaced(&fixture, "whole").await.unwrap_err().kind(), ErrorKind::Store);
}
