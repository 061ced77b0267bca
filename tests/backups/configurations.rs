//! Backups of the platform's configurations, from each source: one manifest for each content that is new.

use super::{BackupWorld, Noon};
use crate::support::programs::{path_variable, run, write_script};
use archive::{
    backup::{
        self, ConfigurationFrom, ConfigurationItem, ConfigurationOutcome, ConfigurationRequest,
        ConfigurationState::{self, Already, Refused, Stored},
    },
    config::Level,
    exit::ExitCode,
};
use archive_connectors::{
    Clock as _, Error, ErrorKind, postgres::contents::Access, program::CommandVariables, sink::Location,
};
use archive_formats::backup_manifest::{BackupContent, ConfigurationBackup, ConfigurationSource};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

const POLICY: &str = "name: prod\npolicies:\n  - kind: audit-logger\n";

fn request(from: ConfigurationFrom) -> ConfigurationRequest {
    let variables = [("PATH", path_variable("PATH").unwrap()), ("KEEPTRUSTS_API_TOKEN", "canary-token".to_owned())];
    ConfigurationRequest {
        from,
        name: None,
        gateway: None,
        environment: None,
        lint: None,
        variables: CommandVariables {
            variables: variables.map(|(name, value)| (name.to_owned(), value)).into(),
            timeout: Duration::from_secs(20),
        },
    }
}

fn files(paths: &[PathBuf]) -> ConfigurationRequest {
    request(ConfigurationFrom::Files(paths.to_vec()))
}

fn back_up_to(
    world: &BackupWorld,
    location: &Location,
    request: &ConfigurationRequest,
) -> Result<ConfigurationOutcome, Error> {
    run(async {
        let mut backups = backup::open_or_begin(location, Noon.now()).await?;
        let spool = world.path("spool");
        fs::create_dir_all(&spool).unwrap();
        let outcome = Box::pin(backup::backup_configuration(&mut backups, request, &Noon, &spool)).await;
        assert_eq!(fs::read_dir(&spool).unwrap().count(), 0, "nothing stays on the local disk");
        outcome
    })
}

fn back_up(world: &BackupWorld, request: &ConfigurationRequest) -> Result<ConfigurationOutcome, Error> {
    back_up_to(world, &world.location(), request)
}

/// What became of each configuration.
#[track_caller]
fn states(outcome: Result<ConfigurationOutcome, Error>) -> Vec<(String, ConfigurationState, Option<u64>)> {
    let outcome = outcome.unwrap_or_else(|error| panic!("{error:?} {}", error.hint()));
    outcome.configurations.into_iter().map(|item| (item.name, item.state, item.sequence)).collect()
}

#[track_caller]
fn only(outcome: Result<ConfigurationOutcome, Error>) -> ConfigurationItem {
    let outcome = outcome.unwrap_or_else(|error| panic!("{error:?} {}", error.hint()));
    assert_eq!(outcome.configurations.len(), 1, "{outcome:?}");
    outcome.configurations.into_iter().next().unwrap()
}

/// Backups of configurations, in the order of their manifests.
fn recorded(world: &BackupWorld) -> Vec<ConfigurationBackup> {
    let entries = world.backups().chain().entries().to_vec();
    let backup = |content| match content {
        BackupContent::Configuration(backup) => *backup,
        other => panic!("{other:?}"),
    };
    entries.into_iter().map(|entry| backup(entry.manifest.content)).collect()
}

/// The text of a configuration as it is stored.
fn stored(world: &BackupWorld, sequence: u64) -> String {
    let backups = world.backups();
    let path = &backups.chain().entry(sequence).unwrap().manifest.files[0].path;
    fs::read_to_string(world.path("backups").join(path)).unwrap()
}

fn write(world: &BackupWorld, name: &str, text: &str) -> PathBuf {
    let path = world.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path
}

/// A script in place of `kt`.
fn kt(world: &BackupWorld, script: &str) -> String {
    let path = world.path("kt");
    write_script(&path, &format!("if [ \"$1\" = --version ]; then echo kt 0.1.0; exit; fi\n{script}"));
    path.display().to_string()
}

#[test]
fn an_unchanged_content_makes_no_manifest() {
    let world = BackupWorld::new("select 1");
    let path = write(&world, "in/prod.yaml", POLICY);
    let request = files(std::slice::from_ref(&path));
    assert_eq!(states(back_up(&world, &request)), [("prod".to_owned(), Stored, Some(1))]);
    assert_eq!(states(back_up(&world, &request)), [("prod".to_owned(), Already, Some(1))]);
    fs::write(&path, "name: other\n").unwrap();
    assert_eq!(states(back_up(&world, &request)), [("prod".to_owned(), Stored, Some(2))]);
    fs::write(&path, POLICY).unwrap();
    assert_eq!(states(back_up(&world, &request)), [("prod".to_owned(), Stored, Some(3))], "the newest counts");
    let objects = fs::read_dir(world.path("backups/configuration/prod")).unwrap().map(|entry| entry.unwrap().path());
    let objects = objects.collect::<Vec<_>>();
    assert_eq!(objects.len(), 2, "one object for each content");
    let modes = objects.iter().map(|path| fs::metadata(path).unwrap().permissions().mode() & 0o777);
    assert!(modes.into_iter().all(|mode| mode == 0o600));
    assert_eq!((stored(&world, 1).as_str(), stored(&world, 2).as_str()), (POLICY, "name: other\n"));
    assert_eq!(world.verify(Level::Full), (Vec::new(), Vec::new()));
}

#[test]
fn configurations_of_two_gateways_are_kept_apart() {
    let world = BackupWorld::new("select 1");
    let path = write(&world, "in/prod.yaml", POLICY);
    let gateway = |name: &str| ConfigurationRequest {
        gateway: Some(name.to_owned()),
        environment: Some("production".to_owned()),
        ..files(std::slice::from_ref(&path))
    };
    assert_eq!(only(back_up(&world, &gateway("eu"))).sequence, Some(1));
    assert_eq!(only(back_up(&world, &gateway("us"))).sequence, Some(2));
    assert_eq!(only(back_up(&world, &gateway("eu"))).sequence, Some(1));
    let recorded = recorded(&world);
    assert_eq!((recorded[1].gateway.as_deref(), recorded[1].environment.as_deref()), (Some("us"), Some("production")));
    assert_eq!(recorded[0].source, ConfigurationSource::File { path: path.display().to_string() });
}

#[test]
fn names_of_any_letters_stay_inside_the_folder() {
    let world = BackupWorld::new("select 1");
    let names = ["EU west", "größe-配置", "...yaml", "a'b\"c", "-rf"];
    let paths = names.map(|name| write(&world, &format!("in/{name}.yaml"), &format!("name: {name}\n")));
    let outcome = states(back_up(&world, &files(&paths)));
    assert_eq!(outcome.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), names);
    let mut folders = fs::read_dir(world.path("backups/configuration"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect::<Vec<_>>();
    folders.sort();
    assert_eq!(folders, ["-rf", "EU_west", "_...yaml", "a_b_c", "größe-配置"]);
    assert_eq!(world.verify(Level::Full), (Vec::new(), Vec::new()));
    // `..` as a name, which no file has.
    let script = kt(&world, "echo 'name: x' > \"$4\"");
    let from = ConfigurationFrom::Command(format!("{script} config export --output {{}}").parse().unwrap());
    let request = ConfigurationRequest { name: Some("../..".to_owned()), ..request(from) };
    assert_eq!(only(back_up(&world, &request)).state, Stored);
    assert!(world.path("backups/configuration/_.._..").is_dir());
}

#[test]
fn files_that_cannot_be_backed_up_are_named_before_anything_is_stored() {
    let world = BackupWorld::new("select 1");
    let good = write(&world, "in/good.yaml", POLICY);
    let cases = [
        (world.path("in/missing.yaml"), "could not read a configuration"),
        (write(&world, "other/good.json", "{}"), "two files have one name"),
        (world.path("in"), "a configuration is a file"),
    ];
    for (path, message) in cases {
        let error = back_up(&world, &files(&[good.clone(), path])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
        assert!(error.to_string().starts_with(message), "{error}");
        assert!(world.backups().chain().entries().is_empty());
    }
    let empty = write(&world, "in/empty.yaml", "");
    assert_eq!(back_up(&world, &files(&[empty])).unwrap_err().kind(), ErrorKind::Configuration);
}

#[test]
fn a_content_with_a_secret_is_refused_and_others_are_stored() {
    let world = BackupWorld::new("select 1");
    let secret = "kt_live_0123456789abcdefcanary";
    let paths =
        [write(&world, "in/a.yaml", &format!("name: a\n\ntoken: {secret}\n")), write(&world, "in/b.yaml", POLICY)];
    let outcome = back_up(&world, &files(&paths)).unwrap();
    assert_eq!(outcome.exit(), ExitCode::Incomplete);
    let [refused, stored] = &outcome.configurations[..] else { panic!("{outcome:?}") };
    assert_eq!((refused.state, stored.state, stored.sequence), (Refused, Stored, Some(1)));
    assert_eq!(refused.reason.as_deref(), Some("line 3 seems to hold a token of Keeptrusts"));
    assert!(!serde_json::to_string(&outcome).unwrap().contains("canary"));
    assert!(!contains(&world.path("backups"), "canary"));
}

/// Whether any file below `folder` holds `text`.
fn contains(folder: &Path, text: &str) -> bool {
    Command::new("grep").args(["-rqa", text]).arg(folder).status().unwrap().code() != Some(1)
}

#[test]
fn an_invalid_configuration_is_stored_as_invalid() {
    let world = BackupWorld::new("select 1");
    let script = kt(
        &world,
        "grep -q audit-logger \"$4\" && exit 0\necho \"$4:2: E001 unknown kind, $KEEPTRUSTS_API_TOKEN\"\n\
         echo 'found kt_live_0123456789abcdef' >&2\nexit 2",
    );
    let path = write(&world, "in/prod.yaml", POLICY);
    let lint = Some(format!("{script} policy lint --file {{}}").parse().unwrap());
    let request = ConfigurationRequest { lint, ..files(std::slice::from_ref(&path)) };
    let outcome = back_up(&world, &request).unwrap();
    assert_eq!((outcome.exit(), outcome.configurations[0].valid), (ExitCode::Done, Some(true)));
    fs::write(&path, "name: prod\n").unwrap();
    for state in [Stored, Already] {
        let outcome = back_up(&world, &request).unwrap();
        assert_eq!(outcome.exit(), ExitCode::Incomplete);
        let item = &outcome.configurations[0];
        assert_eq!((item.state, item.sequence, item.valid), (state, Some(2), Some(false)));
        assert_eq!(item.reason.as_deref(), Some("configuration.yaml:2: E001 unknown kind, [secret]"));
    }
    let lint = recorded(&world)[1].lint.clone().unwrap();
    assert_eq!((lint.valid, lint.exit_code, lint.command.version.as_deref()), (false, 2, Some("kt 0.1.0")));
    assert_eq!(lint.lines[1], "[left out: it seems to hold a token of Keeptrusts]");
    assert_eq!(lint.command.words[1..], ["policy", "lint", "--file", "{}"]);
    // A verdict that no manifest has is recorded.
    kt(&world, "exit 0");
    assert_eq!(only(back_up(&world, &request)).sequence, Some(3));
    assert_eq!(recorded(&world)[2].valid(), Some(true));
}

#[test]
fn a_linter_without_a_verdict_stores_nothing() {
    let world = BackupWorld::new("select 1");
    let path = write(&world, "in/prod.yaml", POLICY);
    let script = kt(&world, "case $2 in kill) kill -KILL $$;; sleep) sleep 60;; esac");
    let cases = [
        (format!("{script} lint kill {{}}"), ErrorKind::Source),
        (format!("{script} lint sleep {{}}"), ErrorKind::Source),
        ("/nowhere/kt lint {}".to_owned(), ErrorKind::Configuration),
        (format!("{script} lint --token kt_live_0123456789abcdef {{}}"), ErrorKind::Configuration),
    ];
    for (command, kind) in cases {
        let mut request =
            ConfigurationRequest { lint: Some(command.parse().unwrap()), ..files(std::slice::from_ref(&path)) };
        request.variables.timeout = Duration::from_secs(2);
        let error = back_up(&world, &request).unwrap_err();
        assert_eq!(error.kind(), kind, "{command}: {error}");
        assert!(!error.to_string().contains("kt_live"), "{error}");
        assert!(world.backups().chain().entries().is_empty(), "{command}");
    }
}

#[test]
fn the_output_of_a_command_is_backed_up() {
    let world = BackupWorld::new("select 1");
    let request = |script: &str| {
        let script = kt(&world, script);
        request(ConfigurationFrom::Command(format!("{script} config export --output {{}}").parse().unwrap()))
    };
    for script in ["echo \"login as $KEEPTRUSTS_API_TOKEN failed\" >&2; exit 1", "true", ": > \"$4\"", "kill -9 $$"] {
        let error = back_up(&world, &request(script)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source, "{script}: {error}");
        assert!(!error.to_string().contains("canary"), "{error}");
        assert!(world.backups().chain().entries().is_empty(), "{script}");
    }
    let request = request("echo done; printf 'name: prod\\n' > \"$4\"");
    assert_eq!(states(back_up(&world, &request)), [("configuration".to_owned(), Stored, Some(1))]);
    assert_eq!(only(back_up(&world, &request)).state, Already);
    assert_eq!(stored(&world, 1), "name: prod\n");
    let ConfigurationSource::Command(command) = &recorded(&world)[0].source else { panic!("no command") };
    assert_eq!((command.words.len(), command.version.as_deref()), (5, Some("kt 0.1.0")));
}

fn access(world: &BackupWorld) -> Access {
    Access {
        server: world.request().server,
        connections: 1,
        statement_timeout: Duration::from_secs(60),
        lock_timeout: Duration::from_secs(10),
    }
}

fn table(world: &BackupWorld, table: Option<&str>) -> ConfigurationRequest {
    request(ConfigurationFrom::Table { access: Box::new(access(world)), table: table.map(str::to_owned) })
}

#[test]
fn rows_of_the_platforms_table_are_backed_up() {
    let world = BackupWorld::new(
        "create table configurations (id uuid primary key default gen_random_uuid(), name varchar(80), config jsonb,
             gateway_id int, environment text, config_version text, git_commit text, updated_at timestamptz);
         insert into configurations (name, config, gateway_id, environment, config_version, git_commit) values
             ('prod', '{\"policies\": [1]}', 7, 'production', '0.2.0', 'abc123'), ('empty', null, 7, null, '1', null),
             ('../EU west', '{\"a\": \"ü\"}', null, null, '3', null)",
    );
    let outcome = back_up(&world, &table(&world, None)).unwrap();
    assert_eq!(outcome.warnings, ["the configuration \"empty\" has no content"]);
    let names = ["../EU west", "prod"].map(str::to_owned);
    assert_eq!(outcome.configurations.iter().map(|item| item.name.clone()).collect::<Vec<_>>(), names);
    assert!(states(back_up(&world, &table(&world, None))).iter().all(|(_, state, _)| *state == Already));
    world
        .database
        .sql("update configurations set config = '{\"policies\": []}', config_version = '0.3.0' where name = 'prod'");
    assert_eq!(states(back_up(&world, &table(&world, None)))[1], ("prod".to_owned(), Stored, Some(3)));
    let backup = recorded(&world)[1].clone();
    let url = format!("postgres://{}/{}", world.database.server(), world.database.name());
    assert_eq!(backup.source, ConfigurationSource::Table { url, table: "public.configurations".to_owned() });
    let facts = [&backup.gateway, &backup.environment, &backup.version, &backup.commit];
    assert_eq!(facts.map(|fact| fact.as_deref().unwrap()), ["7", "production", "0.2.0", "abc123"]);
    assert_eq!(stored(&world, 2), "{\"policies\": [1]}");
}

#[test]
fn versions_of_one_name_are_backed_up_once() {
    let world = BackupWorld::new(
        "create schema kt; create table kt.\"Config Versions\" (id int, name text, version int, content text);
         insert into kt.\"Config Versions\" select n, 'prod', n, 'version: ' || n from generate_series(1, 3) n",
    );
    let request = table(&world, Some("kt.\"Config Versions\""));
    let names = states(back_up(&world, &request)).into_iter().map(|(name, ..)| name).collect::<Vec<_>>();
    assert_eq!(names, ["prod-1", "prod-2", "prod-3"]);
    assert!(states(back_up(&world, &request)).iter().all(|(_, state, _)| *state == Already));
    world.database.sql("alter table kt.\"Config Versions\" drop id, drop version");
    let error = back_up(&world, &request).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incomplete, "{error}");
}

#[test]
fn a_table_without_known_columns_is_an_error_that_lists_them() {
    let world = BackupWorld::new("create table configurations (id int, blob bytea, content int)");
    let error = back_up(&world, &table(&world, None)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.hint().contains("id integer, blob bytea, content integer"), "{}", error.hint());
    let error = back_up(&world, &table(&world, Some("other"))).unwrap_err();
    assert!(error.hint().contains("public.configurations"), "{}", error.hint());
    let role = world.database.role("");
    let server = archive_connectors::postgres::Server::new(&world.database.url_for(&role), &|_| None).unwrap();
    world.database.sql("alter table configurations alter content type text");
    let from = ConfigurationFrom::Table { access: Box::new(Access { server, ..access(&world) }), table: None };
    assert_eq!(back_up(&world, &request(from)).unwrap_err().kind(), ErrorKind::Unauthorized);
}

/// A repository with one commit of `files`.
struct Repository(PathBuf);

impl Repository {
    fn new(world: &BackupWorld) -> Self {
        let path = world.path("gateway policies");
        fs::create_dir(&path).unwrap();
        let repository = Self(path);
        repository.git(&["init", "-q", "-b", "main"]);
        repository.git(&["config", "user.email", "ops@example.com"]);
        repository.git(&["config", "user.name", "ops"]);
        repository.commit("prod.yaml", POLICY);
        repository
    }

    #[track_caller]
    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git").arg("-C").arg(&self.0).args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    fn commit(&self, name: &str, text: &str) {
        fs::write(self.0.join(name), text).unwrap();
        self.git(&["add", name]);
        self.git(&["commit", "-q", "-m", name]);
    }

    fn request(&self) -> ConfigurationRequest {
        request(ConfigurationFrom::Git(self.0.clone()))
    }
}

#[test]
fn a_repository_is_cloned_from_its_bundle() {
    let world = BackupWorld::new("select 1");
    let repository = Repository::new(&world);
    let name = "gateway policies".to_owned();
    assert_eq!(states(back_up(&world, &repository.request())), [(name.clone(), Stored, Some(1))]);
    assert_eq!(states(back_up(&world, &repository.request())), [(name.clone(), Already, Some(1))]);
    fs::write(repository.0.join("draft.yaml"), "draft").unwrap();
    let outcome = back_up(&world, &repository.request()).unwrap();
    assert_eq!((outcome.configurations[0].state, outcome.warnings.len()), (Already, 1));
    repository.commit("eu.yaml", "name: eu\n");
    assert_eq!(states(back_up(&world, &repository.request())), [(name, Stored, Some(2))]);
    let backup = recorded(&world)[1].clone();
    assert_eq!(backup.commit, Some(repository.git(&["rev-parse", "HEAD"])));
    assert!(matches!(backup.source, ConfigurationSource::Git { branch: Some(branch), .. } if branch == "main"));
    let backups = world.backups();
    let path = &backups.chain().entry(2).unwrap().manifest.files[0].path;
    assert!(path.starts_with("configuration/gateway_policies/") && Path::new(path).extension().unwrap() == "bundle");
    let clone = world.path("clone");
    let bundle = world.path("backups").join(path);
    assert!(Command::new("git").args(["clone", "-q"]).arg(bundle).arg(&clone).status().unwrap().success());
    assert_eq!(fs::read_to_string(clone.join("prod.yaml")).unwrap(), POLICY);
}

#[test]
fn a_repository_whose_history_holds_a_secret_is_refused() {
    let world = BackupWorld::new("select 1");
    let repository = Repository::new(&world);
    repository.commit("old.yaml", "name: old\ntoken: ghp_0123456789abcdefghijABCDEFGHIJcanary\n");
    let commit = repository.git(&["rev-parse", "HEAD"]);
    repository.commit("old.yaml", "name: old\n");
    let outcome = back_up(&world, &repository.request()).unwrap();
    assert_eq!(outcome.exit(), ExitCode::Incomplete);
    let reason = format!("line 2 of old.yaml in commit {commit} seems to hold a token of GitHub");
    assert_eq!(outcome.configurations[0].reason, Some(reason));
    assert!(world.backups().chain().entries().is_empty());
}

#[test]
fn what_is_no_whole_repository_is_not_backed_up() {
    let world = BackupWorld::new("select 1");
    let repository = Repository::new(&world);
    repository.commit("eu.yaml", "name: eu\n");
    let shallow = world.path("shallow");
    let source = format!("file://{}", repository.0.display());
    let cloned = Command::new("git").args(["clone", "-q", "--depth", "1", &source]).arg(&shallow).status().unwrap();
    assert!(cloned.success());
    fs::create_dir(world.path("none")).unwrap();
    for (folder, message) in [(shallow, "the repository has a part"), (world.path("none"), "git failed")] {
        let error = back_up(&world, &request(ConfigurationFrom::Git(folder))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Source, "{error}");
        assert!(error.to_string().starts_with(message), "{error}");
    }
    let lint = Some("true {}".parse().unwrap());
    let error = back_up(&world, &ConfigurationRequest { lint, ..repository.request() }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
}

#[test]
fn configurations_are_kept_in_a_bucket() {
    let world = BackupWorld::new("select 1");
    let prefix = crate::support::s3::BucketPrefix::plain("configurations");
    let environment = crate::support::s3::credentials().map(|(name, value)| (name.to_owned(), value));
    let location = Location::parse(&prefix.url(), &BTreeMap::from(environment)).unwrap();
    let request = files(&[write(&world, "in/größe 配置.yaml", POLICY)]);
    assert_eq!(only(back_up_to(&world, &location, &request)).state, Stored);
    assert_eq!(only(back_up_to(&world, &location, &request)).state, Already);
    let report = world.verification(&run(backup::open_backups(&location)).unwrap(), Level::Full);
    assert_eq!((report.files, report.findings.len()), (1, 0));
}
