//! No secret is printed, logged or stored, in success and failure.

use crate::support::{
    cli::Outcome,
    events,
    http::Reply,
    platform::{SIGNATURE, TOKEN},
    script::{Cut, Endpoint, Script},
    together,
    world::World,
};
use serde_json::json;
use std::{fs, path::Path};

const MONTH: &str = "2025-03";
/// The secret part of a notification URL.
const ADDRESS: &str = "canary-of-a-notified-address";

fn script() -> Script {
    Script::new(events::month(MONTH, 30)).redirect()
}

/// Runs with verbose output, and searches all output and all files for the secrets.
#[track_caller]
fn assert_leaks_nothing(script: &Script) {
    let talkative = [&["-v", "-v", "--log-format", "json"][..], &["-v", "-v", "--json"], &[]];
    together(talkative, |arguments| {
        let mut world = World::new(script.clone());
        world.host.set("KT_ARCHIVE_METRICS_FILE", "kt-archive.prom");
        // Recipients that cannot be reached.
        world.host.set("KT_ARCHIVE_NOTIFY", format!("{0}/?key={0},healthcheck+{0}", unreachable_url()));
        let arguments = [&["run", "--month", MONTH, "--job-timeout", "4s"], arguments].concat();
        let outcome = world.run(&arguments);
        assert_no_secret(&outcome);
        for command in [
            &["verify"][..],
            &["status"],
            &["report", "--output", "report.html"],
            &["doctor"],
            &["config", "check"],
            &["config", "show"],
        ] {
            assert_no_secret(&world.run(&[command, &["-v", "-v"]].concat()));
        }
        let pull =
            ["pull", "--from", "2025-03", "--to", "2025-04", "--format", "csv", "--output", "slice.csv", "-v", "-v"];
        assert_no_secret(&world.run(&pull));
        assert_no_secret_in(&world.host.path(""));
    });
}

#[track_caller]
fn assert_no_secret(outcome: &Outcome) {
    let output = outcome.output();
    assert!(!holds_secret(output.as_bytes()), "{output}");
}

#[track_caller]
fn assert_no_secret_in(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_no_secret_in(&path);
        } else {
            assert!(!holds_secret(&fs::read(&path).unwrap()), "{}", path.display());
        }
    }
}

/// An unreachable URL, of which only the host may be printed.
fn unreachable_url() -> String {
    format!("http://127.0.0.1:9/{ADDRESS}")
}

fn holds_secret(bytes: &[u8]) -> bool {
    [TOKEN, SIGNATURE, ADDRESS]
        .iter()
        .any(|secret| bytes.windows(secret.len()).any(|window| window == secret.as_bytes()))
}

#[test]
fn successful_run_leaks_no_secret() {
    assert_leaks_nothing(&script());
}

#[test]
fn refused_run_leaks_no_secret() {
    let endpoints = [Endpoint::Create, Endpoint::Status, Endpoint::Download, Endpoint::Storage];
    together(endpoints.into_iter().flat_map(|endpoint| [(endpoint, 401), (endpoint, 403)]), |(endpoint, status)| {
        // The platform echoes the request.
        let body = json!({"error": format!("Bearer {TOKEN} is not allowed, signature {SIGNATURE}")});
        assert_leaks_nothing(&script().always(endpoint, Reply::json(status, &body)));
    });
}

#[test]
fn unreachable_store_leaks_no_secret() {
    // No server listens on port 9 of the loopback interface.
    let location = format!("http://127.0.0.1:9/bucket/exp_0001?X-Amz-Signature={SIGNATURE}");
    let nowhere = Reply::new(302, "").header("Location", location);
    assert_leaks_nothing(&script().always(Endpoint::Download, nowhere));
}

#[test]
fn invalid_redirect_leaks_no_secret() {
    for location in [format!("ftp://127.0.0.1/?X-Amz-Signature={SIGNATURE}"), format!("http://[oops/?sig={SIGNATURE}")]
    {
        let odd = Reply::new(302, "").header("Location", location);
        assert_leaks_nothing(&script().always(Endpoint::Download, odd));
    }
}

#[test]
fn broken_download_leaks_no_secret() {
    assert_leaks_nothing(&script().always_cut(Cut::Short(777)));
}

#[test]
fn kill_leaves_no_secret_behind() {
    let slow = Cut::Slow(300, std::time::Duration::from_millis(100));
    let world = World::new(script().ranges("\"v1\"").cuts(&[slow]));
    let running = world.start_month(MONTH);
    world.platform.wait_for(Endpoint::Storage, 1);
    std::thread::sleep(std::time::Duration::from_millis(300));
    let command_line = fs::read(format!("/proc/{}/cmdline", running.id())).unwrap();
    assert!(!command_line.is_empty() && !holds_secret(&command_line));
    running.kill();
    assert_no_secret_in(&world.host.path(""));
}

#[test]
fn no_flag_takes_a_secret() {
    let world = World::new(script());
    for command in ["run", "backfill", "verify", "status", "pull"] {
        let help = world.run(&[command, "--help"]).expect(0);
        for flag in ["--token ", "--api-token ", "--password ", "--secret ", "--key "] {
            assert!(!help.stdout.contains(flag), "{command} has {flag}");
        }
        assert_no_secret(&help);
    }
}

#[test]
fn refused_doctor_leaks_no_secret() {
    let body = json!({"error": format!("Bearer {TOKEN} is not allowed, signature {SIGNATURE}")});
    let location = format!("http://127.0.0.1:9/?X-Amz-Signature={SIGNATURE}");
    let redirect = Reply::new(302, "").header("Location", location);
    for reply in [Reply::json(401, &body), Reply::json(403, &body), Reply::json(500, &body), redirect] {
        let world = World::new(script().always(Endpoint::List, reply));
        for arguments in [&["doctor", "-v", "-v"][..], &["doctor", "--json", "--log-format", "json", "-v", "-v"]] {
            assert_no_secret(&world.run(arguments));
        }
    }
}

#[test]
fn urls_with_a_secret_are_not_printed() {
    let with_secrets = [
        ("KT_ARCHIVE_SOURCE", format!("https://user:{TOKEN}@api.example")),
        ("KT_ARCHIVE_SOURCE", format!("https://api.example/?token={TOKEN}")),
        ("KT_ARCHIVE_SOURCE", format!("https://user:{TOKEN}?x@api.example")),
        ("KT_ARCHIVE_ARCHIVE", format!("s3://key:{TOKEN}@bucket/x")),
        ("KT_ARCHIVE_ARCHIVE", format!("s3://bucket/x?{TOKEN}")),
        ("KT_ARCHIVE_CONFIG", "secrets.toml".to_owned()),
    ];
    together(with_secrets, |(name, value)| {
        let mut world = World::new(script());
        let file = "grace = '${KEEPTRUSTS_API_TOKEN}'\n";
        fs::write(world.host.path("secrets.toml"), file).unwrap();
        world.host.set(name, value);
        for command in [&["doctor"][..], &["config", "check"], &["config", "show"]] {
            for format in [&["-v", "-v"][..], &["--json"]] {
                assert_no_secret(&world.run(&[command, format].concat()));
            }
        }
    });
}
