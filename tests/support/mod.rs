//! Support of the tests: a double of the platform, a host that runs the program, and independent readers.

pub(crate) mod archive;
pub(crate) mod cli;
pub(crate) mod events;
pub(crate) mod foreign;
pub(crate) mod http;
pub(crate) mod json;
pub(crate) mod page;
pub(crate) mod platform;
pub(crate) mod postgres;
pub(crate) mod programs;
pub(crate) mod receiver;
pub(crate) mod s3;
pub(crate) mod script;
pub(crate) mod suite;
pub(crate) mod typed;
pub(crate) mod world;

/// A variable that `tests/run` sets. A test that needs it fails without it, and is never skipped.
#[expect(clippy::disallowed_methods, reason = "tests have no main that passes the environment")]
pub(crate) fn test_variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start the tests with `tests/run`"))
}

/// The real time, which servers and the program use unless a test shifts it.
#[expect(clippy::disallowed_methods, reason = "servers of the tests use the real time")]
pub(crate) fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// Runs the cases concurrently, since most of a run is waiting. Fails if one does.
pub(crate) fn together<T: Send>(cases: impl IntoIterator<Item = T>, test: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| test(case));
        }
    });
}
