//! What the tests stand on: a double of the platform, a host to run the program on, and eyes that are not the program's.

pub(crate) mod archive;
pub(crate) mod cli;
pub(crate) mod events;
pub(crate) mod foreign;
pub(crate) mod http;
pub(crate) mod json;
pub(crate) mod page;
pub(crate) mod platform;
pub(crate) mod postgres;
pub(crate) mod receiver;
pub(crate) mod s3;
pub(crate) mod script;
pub(crate) mod typed;
pub(crate) mod world;

/// What `tests/run` started and hands over. A test that needs it fails without it: it is never skipped in silence.
#[expect(clippy::disallowed_methods, reason = "the tests are the program here, and have no main to get it from")]
pub(crate) fn test_variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start the tests with `tests/run`"))
}

/// The time that servers and the program show, unless a test moves it.
#[expect(clippy::disallowed_methods, reason = "what runs beside the tests runs in real time")]
pub(crate) fn now() -> chrono::DateTime<chrono::Utc> {
    chrono::Utc::now()
}

/// Tries the cases at the same time: most of a run is waiting. Fails when one does.
pub(crate) fn together<T: Send>(cases: impl IntoIterator<Item = T>, test: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| test(case));
        }
    });
}
