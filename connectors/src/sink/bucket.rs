//! A bucket in one of the clouds.

use super::{Confirm, azure, cloud::Words, gcs, overlap::Root, s3};
use crate::Result;
use object_store::{ObjectStore, path::Path, prefix::PrefixStore};
use std::{collections::BTreeMap, sync::Arc};

/// A bucket, and the options of its client.
#[derive(Clone, Debug)]
pub(super) enum Bucket {
    S3(s3::Bucket),
    Gcs(gcs::Bucket),
    Azure(azure::Container),
}

impl Bucket {
    /// The bucket `name` of the cloud whose URLs begin with `scheme`; none where no cloud's do.
    pub(super) fn new(scheme: &str, name: &str, environment: &BTreeMap<String, String>) -> Option<Result<Self>> {
        match scheme {
            "s3" => Some(s3::Bucket::new(name, environment).map(Self::S3)),
            "gs" => Some(gcs::Bucket::new(name, environment).map(Self::Gcs)),
            "az" => Some(azure::Container::new(name, environment).map(Self::Azure)),
            _ => None,
        }
    }

    /// What lies below `prefix`, and how its bytes are confirmed. S3 alone checks the SHA-256 of what it is sent.
    pub(super) fn open(&self, prefix: &Path) -> Result<(Arc<dyn ObjectStore>, Confirm)> {
        Ok(match self {
            Self::S3(bucket) => (below(bucket.store()?, prefix), Confirm::Checksum),
            Self::Gcs(bucket) => (below(bucket.store()?, prefix), Confirm::ReadBack),
            Self::Azure(container) => (below(container.store()?, prefix), Confirm::ReadBack),
        })
    }

    /// Where what lies below `prefix` has its root.
    pub(super) fn root(&self, prefix: &Path) -> Root {
        let (Words { scheme, .. }, name) = match self {
            Self::S3(bucket) => (s3::WORDS, &bucket.name),
            Self::Gcs(bucket) => (gcs::WORDS, &bucket.name),
            Self::Azure(container) => (azure::WORDS, &container.name),
        };
        Root::new(format!("{scheme}://{name}"), prefix.clone())
    }
}

fn below(store: impl ObjectStore, prefix: &Path) -> Arc<dyn ObjectStore> {
    Arc::new(PrefixStore::new(store, prefix.clone()))
}
