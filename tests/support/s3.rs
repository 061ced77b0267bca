//! Prefixes in buckets of the S3 server that `tests/run` starts.

use super::{archive::Archive, cli::Host, test_variable};
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, aws::AmazonS3Builder, path::Path};
use std::{fs, path::PathBuf, process::Command};

/// A unique prefix in a bucket.
#[derive(Debug)]
pub(crate) struct BucketPrefix {
    bucket: String,
    prefix: String,
}

impl BucketPrefix {
    /// In the ordinary bucket.
    pub(crate) fn plain(name: &str) -> Self {
        Self::within("KT_TEST_S3_BUCKET", name)
    }

    /// In the bucket with Object Lock.
    pub(crate) fn locked(name: &str) -> Self {
        Self::within("KT_TEST_S3_LOCKED_BUCKET", name)
    }

    /// In the versioned bucket.
    pub(crate) fn versioned(name: &str) -> Self {
        Self::within("KT_TEST_S3_VERSIONED_BUCKET", name)
    }

    fn within(bucket: &str, name: &str) -> Self {
        Self { bucket: test_variable(bucket), prefix: format!("{name}-{}", uuid::Uuid::new_v4().simple()) }
    }

    pub(crate) fn url(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix)
    }

    /// Gives a host the administrator's credentials.
    pub(crate) fn admit(host: &mut Host) {
        for (name, value) in credentials() {
            host.set(name, value);
        }
    }

    /// Gives a host the credentials of a new user with a policy of `examples/iam` for this prefix.
    pub(crate) fn admit_as(&self, host: &mut Host, policy: &str) {
        Self::admit(host);
        let [key, secret] = self.user(policy);
        host.set("AWS_ACCESS_KEY_ID", key);
        host.set("AWS_SECRET_ACCESS_KEY", secret);
    }

    fn user(&self, policy: &str) -> [String; 2] {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let document = fs::read_to_string(root.join(format!("examples/iam/{policy}.json"))).unwrap();
        let document = document.replace("my-bucket", &self.bucket).replace("keeptrusts", &self.prefix);
        let printed =
            support_script("make_user.py", &[&format!("{policy}-{}", uuid::Uuid::new_v4().simple()), &document]);
        printed.split_once(' ').map(|(key, secret)| [key.to_owned(), secret.to_owned()]).expect(&printed)
    }

    /// Removes all objects as a new user with a policy of `examples/iam`.
    pub(crate) fn empty_as(&self, policy: &str) {
        let [key, secret] = self.user(policy);
        let builder = self.builder().with_access_key_id(key).with_secret_access_key(secret);
        empty(&builder.build().unwrap(), &self.prefix);
    }

    /// Removes all objects.
    pub(crate) fn empty(&self) {
        empty(&self.store(), &self.prefix);
    }

    /// Removes an object.
    pub(crate) fn remove(&self, object: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let path = Path::from(format!("{}/{object}", self.prefix));
        runtime.block_on(self.store().delete(&path)).unwrap();
    }

    /// Downloads all objects into a folder.
    pub(crate) fn download(&self, folder: PathBuf) -> Archive {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let store = self.store();
            let prefix = Path::from(self.prefix.as_str());
            let objects = store.list(Some(&prefix)).try_collect::<Vec<_>>().await.unwrap();
            for object in objects {
                let target = folder
                    .join(object.location.as_ref().strip_prefix(prefix.as_ref()).unwrap().trim_start_matches('/'));
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                let bytes = store.get(&object.location).await.unwrap().bytes().await.unwrap();
                fs::write(target, bytes).unwrap();
            }
        });
        Archive::at(folder)
    }

    /// Number of object versions, delete markers and unfinished uploads below the prefix.
    pub(crate) fn versions(&self) -> usize {
        support_script("count_versions.py", &[&self.bucket, &self.prefix]).parse().unwrap()
    }

    /// Overwrites an object; with Object Lock this makes a new version.
    pub(crate) fn put(&self, object: &str, bytes: &'static str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let path = Path::from(format!("{}/{object}", self.prefix));
        runtime.block_on(self.store().put(&path, bytes.into())).unwrap();
    }

    fn store(&self) -> impl ObjectStore + use<> {
        self.builder().build().unwrap()
    }

    fn builder(&self) -> AmazonS3Builder {
        let builder = credentials().into_iter().fold(AmazonS3Builder::new(), |builder, (name, value)| {
            builder.with_config(name.to_ascii_lowercase().parse().unwrap(), value)
        });
        builder.with_bucket_name(&self.bucket)
    }
}

fn empty(store: &impl ObjectStore, prefix: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let objects = store.list(Some(&Path::from(prefix))).try_collect::<Vec<_>>().await.unwrap();
        assert!(!objects.is_empty());
        for object in objects {
            store.delete(&object.location).await.unwrap();
        }
    });
}

/// Output of a script beside this file, run against the S3 server.
fn support_script(name: &str, arguments: &[&str]) -> String {
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support").join(name);
    let account = ["KT_TEST_S3_ENDPOINT", "KT_TEST_S3_KEY", "KT_TEST_S3_SECRET"].map(test_variable);
    let mut command = Command::new(test_variable("KT_TEST_PYTHON"));
    let output = command.arg(script).args(account).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(crate) fn credentials() -> [(&'static str, String); 5] {
    [
        ("AWS_ENDPOINT", test_variable("KT_TEST_S3_ENDPOINT")),
        ("AWS_ACCESS_KEY_ID", test_variable("KT_TEST_S3_KEY")),
        ("AWS_SECRET_ACCESS_KEY", test_variable("KT_TEST_S3_SECRET")),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
    ]
}
