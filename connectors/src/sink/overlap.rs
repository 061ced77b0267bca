//! Whether two places share objects.

use super::Sink;
use object_store::path::Path;

/// Where a place begins, however its URL is spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    /// The file system, or a bucket.
    store: String,
    prefix: Path,
}

impl Root {
    pub(super) fn new(store: impl Into<String>, prefix: Path) -> Self {
        Self { store: store.into(), prefix }
    }
}

impl Sink {
    /// Whether the two are one place, or one lies within the other: then the objects of one would be strangers in the
    /// other. Links to folders are followed; two names of one bucket are not found out.
    pub fn overlaps(&self, other: &Self) -> bool {
        let (one, other) = (&self.root, &other.root);
        one.store == other.store
            && (one.prefix.prefix_matches(&other.prefix) || other.prefix.prefix_matches(&one.prefix))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Location, *};
    use std::collections::BTreeMap;

    fn overlap(one: &str, other: &str) -> bool {
        let [one, other] =
            [one, other].map(|url| Sink::open(&Location::parse(url, &BTreeMap::new()).unwrap()).unwrap());
        assert_eq!(one.overlaps(&other), other.overlaps(&one));
        one.overlaps(&other)
    }

    #[test]
    fn one_place_has_many_names() {
        assert!(overlap("./archive", "archive/"));
        assert!(overlap("/srv/a", "file:///srv/./a"));
        assert!(overlap("s3://bucket/a", "s3://bucket/a/"));
        assert!(overlap("s3://bucket", "s3://bucket/a/b"));
    }

    #[test]
    fn neighbours_share_nothing() {
        assert!(!overlap("/srv/a", "/srv/ab"));
        assert!(!overlap("s3://bucket/a", "s3://bucket/b"));
        assert!(!overlap("s3://bucket/a", "gs://bucket/a"));
        assert!(!overlap("s3://bucket", "s3://other"));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(overlap(real.to_str().unwrap(), link.join("deeper").to_str().unwrap()));
    }
}
