//! Precedence of the configuration: flag, environment, file, default.

use crate::support::{cli::Host, events, script::Script, world::World};
use std::fs;

/// A host with a configuration file, which archives from the demo source.
fn host(settings: &str) -> Host {
    let mut host = Host::new();
    host.set("KT_ARCHIVE_SOURCE", "demo:?events=20&seed=1");
    fs::write(host.path("archive.toml"), settings).unwrap();
    host
}

#[track_caller]
fn dataset(host: &Host, arguments: &[&str]) -> String {
    let arguments = [&["run", "--month", "2025-03", "--config", "archive.toml", "--json"], arguments].concat();
    let document = host.run(&arguments).expect(0).json();
    document["months"][0]["dataset"].as_str().unwrap().to_owned()
}

#[test]
fn flag_overrides_environment_overrides_file() {
    let mut host = host("");
    assert_eq!(dataset(&host, &[]), "events");
    fs::write(host.path("archive.toml"), "dataset = \"traces\"\n").unwrap();
    assert_eq!(dataset(&host, &[]), "traces");
    host.set("KT_ARCHIVE_DATASET", "escalations");
    assert_eq!(dataset(&host, &[]), "escalations");
    assert_eq!(dataset(&host, &["--dataset", "audit-log"]), "audit-log");
}

#[test]
fn unknown_key_suggests_the_nearest_known_one() {
    let host = host("datset = \"events\"\n");
    let outcome = host.run(&["run", "--month", "2025-03", "--config", "archive.toml", "--json"]).expect(2);
    let said = outcome.output();
    assert!(said.contains("datset") && said.contains("dataset"), "{said}");
    fs::write(host.path("archive.toml"), "token = \"kt_live_canary\"\n").unwrap();
    let said = host.run(&["run", "--config", "archive.toml"]).expect(2).output();
    assert!(said.contains("set KEEPTRUSTS_API_TOKEN_FILE") && !said.contains("canary"), "{said}");
}

#[test]
fn missing_or_invalid_file_exits_with_2() {
    let host = host("dataset = \n");
    host.run(&["run", "--month", "2025-03", "--config", "archive.toml"]).expect(2);
    host.run(&["run", "--month", "2025-03", "--config", "elsewhere.toml"]).expect(2);
}

#[test]
fn platform_variables_are_read() {
    let mut world = World::new(Script::new(events::month("2025-03", 10)));
    world.host.set("KEEPTRUSTS_API_URL", world.platform.url());
    world.host.set("KT_ARCHIVE_SOURCE", "");
    world.archive_month("2025-03").expect(0);
    world.archive().check();
}

#[test]
fn token_is_read_from_a_file() {
    use std::os::unix::fs::PermissionsExt;
    let mut world = World::new(Script::new(events::month("2025-03", 10)));
    let token = world.host.path("token");
    fs::write(&token, format!("{}\n", crate::support::platform::TOKEN)).unwrap();
    world.host.set("KEEPTRUSTS_API_TOKEN_FILE", token.display().to_string());
    world.host.set("KEEPTRUSTS_API_TOKEN", "");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = world.archive_month("2025-03").expect(2).output();
    assert!(refused.contains("other users may read the token file") && refused.contains("chmod 600"), "{refused}");
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    world.archive_month("2025-03").expect(0);
    world.archive().check();
}

#[test]
fn home_folder_is_expanded_in_files_variables_and_flags() {
    let mut host = host("archive = \"~/archive\"\nstate-dir = \"~/own-state\"\n");
    fs::rename(host.path("archive.toml"), host.path("settings.toml")).unwrap();
    host.set("KT_ARCHIVE_REPLICA", "~/first, ~/second");
    let run = ["run", "--month", "2025-03", "--config=~/settings.toml", "--metrics-file=~/kt.prom"];
    host.run(&run).expect(0);
    for path in ["archive/archive.json", "own-state", "first/archive.json", "second/archive.json", "kt.prom"] {
        assert!(host.path(path).try_exists().unwrap(), "{path}");
    }
    assert!(!host.path("~").try_exists().unwrap());
    let shown = host.run(&["config", "show", "--config=~/settings.toml"]).expect(0).stdout;
    assert!(shown.contains(&format!("archive = {:?}  # file", host.path("archive"))), "{shown}");
    let refused = host.run(&["status", "--archive=~root/archive"]).expect(2);
    assert!(refused.stderr.contains("--archive begins with ~"), "{}", refused.stderr);
}

#[test]
fn hints_name_the_variable_or_the_key_that_was_used() {
    let mut host = host("format = \"artifact\"\n");
    let run = ["run", "--month", "2025-03", "--config", "archive.toml"];
    let in_file = host.run(&run).expect(2);
    assert!(in_file.stderr.contains("out of \"format\" in the configuration file"), "{}", in_file.stderr);
    host.set("KT_ARCHIVE_FORMAT", "artifact");
    let in_environment = host.run(&run).expect(2);
    assert!(in_environment.stderr.contains("leave artifact out of KT_ARCHIVE_FORMAT"), "{}", in_environment.stderr);
    let typed = host.run(&[&run[..], &["--format", "artifact"]].concat()).expect(2);
    assert!(typed.stderr.contains("leave artifact out of --format"), "{}", typed.stderr);
    host.set("KT_ARCHIVE_FORMAT", "");
    host.set("KT_ARCHIVE_PART_SIZE", "64KiB");
    let too_small = host.run(&["doctor"]).expect(2);
    assert!(too_small.stdout.contains("KT_ARCHIVE_PART_SIZE is below 1MiB"), "{}", too_small.stdout);
    host.set("KT_ARCHIVE_PART_SIZE", "64");
    let bare = host.run(&["run", "--json"]).expect(2).json();
    assert_eq!(bare["error"]["hint"], "add the unit: 64KiB, 64MiB, 64GiB");
}

#[test]
fn state_folder_is_private_to_its_owner() {
    use std::os::unix::fs::PermissionsExt;
    let host = host("");
    dataset(&host, &[]);
    let mode = fs::metadata(host.state_dir()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
