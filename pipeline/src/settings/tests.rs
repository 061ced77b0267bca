use super::*;
use crate::units::{Count, DurationArg, Size};
use archive_connectors::{
    Secret,
    exports_api::{self, Credentials},
};

fn home() -> Environment {
    Environment::from([("HOME", "/home/ada")])
}

fn api(variables: &Environment) -> exports_api::Config {
    let config = Config { source: Some("https://api.example".to_owned()), ..Config::default() };
    let config = Config { state_dir: Some("/state".into()), ..config };
    match Settings::new(config, variables).unwrap().source {
        Some(SourceSettings::ExportsApi(api)) => *api,
        other => panic!("not an exports API: {other:?}"),
    }
}

#[test]
fn unset_options_have_documented_defaults() {
    let settings = Settings::new(Config::default(), &home()).unwrap();
    assert_eq!(settings.archive.url(), "./archive");
    assert_eq!(settings.formats, BTreeSet::from([FileFormat::Parquet]));
    assert_eq!(settings.state_dir, PathBuf::from("/home/ada/.local/state/kt-archive"));
    assert_eq!((settings.part_size, settings.grace, settings.jobs), (268_435_456, HOUR, 1));
    assert!(settings.datasets.is_empty() && settings.source.is_none());
    assert!(settings.source().unwrap_err().hint().contains("--source demo:"));
}

#[test]
fn state_folder_follows_the_xdg_specification() {
    let folder = |variables: Environment| Settings::new(Config::default(), &variables).map(|it| it.state_dir).ok();
    let both = Environment::from([("HOME", "/home/ada"), ("XDG_STATE_HOME", "/xdg")]);
    assert_eq!(folder(both), Some("/xdg/kt-archive".into()));
    let relative = Environment::from([("HOME", "/home/ada"), ("XDG_STATE_HOME", "xdg")]);
    assert_eq!(folder(relative), Some("/home/ada/.local/state/kt-archive".into()));
    assert_eq!(folder(Environment::default()), None);
}

#[test]
fn tokens_have_a_fixed_order_of_precedence() {
    let all = [("KEEPTRUSTS_API_TOKEN", "first\n"), ("KEEPTRUSTS_API_TOKEN_FILE", "/token"), ("API_TOKEN", "last")];
    let first = api(&Environment::from(all));
    assert_eq!(first.credentials, Credentials::Token(Secret::new("first".to_owned())));
    let second = api(&Environment::from([all[1], all[2]]));
    assert_eq!(second.credentials, Credentials::File("/token".into()));
    let third = api(&Environment::from([all[2]]));
    assert_eq!(third.credentials, Credentials::Token(Secret::new("last".to_owned())));
    assert_eq!(api(&Environment::default()).credentials, Credentials::Missing);
}

#[test]
fn rejects_impossible_settings() {
    let refused = |config: Config| Settings::new(config, &home()).unwrap_err().kind();
    let source = "https://api.example".to_owned();
    for config in [
        Config { part_size: Some(Size((1 << 20) - 1)), ..Config::default() },
        Config { jobs: Some(Count(0)), ..Config::default() },
        Config { jobs: Some(Count(65)), ..Config::default() },
        Config { archive: Some(String::new()), ..Config::default() },
        Config { archive: Some("s3://key:secret@bucket/x".to_owned()), ..Config::default() },
        Config { replica: Some(List(vec!["/b".to_owned(), String::new()])), ..Config::default() },
        Config { replica: Some(List(vec!["az://key@box/x".to_owned()])), ..Config::default() },
        Config { format: Some(List(Vec::new())), ..Config::default() },
        Config { format: Some(List(vec![EventFormat::Jsonl])), ..Config::default() },
        Config { source: Some(source), job_timeout: Some(DurationArg(Duration::ZERO)), ..Config::default() },
    ] {
        assert_eq!(refused(config.clone()), ErrorKind::Configuration, "{config:?}");
    }
}

#[test]
fn redaction_excludes_artifacts_and_rejects() {
    let base = "source = 'https://api.example'\nstate-dir = '/state'\n";
    let settings = |toml: &str| Settings::new(toml::from_str(&format!("{base}{toml}")).unwrap(), &home());
    let redactions = ["columns = 'a'", "drop = 'a'", "pseudonymise = 'a'\npseudonym-key-file = '/key'"];
    for whole in ["format = 'parquet,artifact'", "rejects = 'keep'"] {
        for redaction in redactions {
            let error = settings(&format!("{whole}\n{redaction}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{whole} {redaction}");
            assert!(settings(redaction).is_ok(), "{redaction}");
        }
        assert!(settings(&format!("{whole}\nrename = 'a=b'\nconflicts = 'keep'")).is_ok());
    }
}

#[test]
fn rejects_artifacts_for_sources_without_them() {
    for (source, name) in [("demo:", "demo:"), ("postgres://u@db/x", "a database")] {
        let config = Config { source: Some(source.to_owned()), ..toml::from_str("format = 'csv,artifact'").unwrap() };
        let error = Settings::new(config, &home()).unwrap_err();
        assert!(error.to_string().starts_with(name) && error.hint().contains("--format"), "{error:?}");
    }
}

#[test]
fn default_jobs_are_two_for_databases_and_files() {
    let jobs = |source: &str, jobs| {
        let config = Config { source: Some(source.to_owned()), jobs, ..Config::default() };
        Settings::new(config, &home()).unwrap().jobs
    };
    let sources = ["postgres://u@db/x", "events.csv", "https://api.example", "demo:"];
    assert_eq!(sources.map(|source| jobs(source, None)), [2, 2, 1, 1]);
    assert_eq!(sources.map(|source| jobs(source, Some(Count(3)))), [3; 4]);
}

#[test]
fn datasets_keep_their_order_without_duplicates() {
    let list = ["traces", "events", "traces"].map(|name| name.parse().unwrap());
    let config = Config { dataset: Some(list.to_vec().into()), ..Config::default() };
    let names = Settings::new(config, &home()).unwrap().datasets;
    assert_eq!(names.iter().map(Dataset::as_str).collect::<Vec<_>>(), ["traces", "events"]);
}

#[test]
fn rejects_database_options_for_other_sources() {
    for source in ["demo:", "https://api.example", "events.csv"] {
        for (toml, named) in [
            ("table = 'x'", "--table"),
            ("where-org = 'x'", "--where-org"),
            ("dataset = [{name = 'a', columns = 'x'}]", "\"columns\" of the dataset a"),
            ("dataset = [{name = 'a', id-column = 'x'}]", "\"id-column\" of the dataset a"),
        ] {
            let config = Config { source: Some(source.to_owned()), ..toml::from_str(toml).unwrap() };
            let error = Settings::new(config, &home()).unwrap_err();
            assert!(error.to_string().contains(named) && error.hint().contains("postgres://"), "{error:?}");
        }
        let names = toml::from_str("[[dataset]]\nname = 'traces'").unwrap();
        let names = Config { source: Some(source.to_owned()), ..names };
        assert!(Settings::new(names, &home()).is_ok(), "{source}");
    }
}

#[test]
fn the_platform_exports_known_datasets_alone() {
    for source in ["demo:", "https://api.example"] {
        let names = toml::from_str("dataset = 'event'").unwrap();
        let error = Settings::new(Config { source: Some(source.to_owned()), ..names }, &home()).unwrap_err();
        assert!(error.hint().contains("did you mean events?"), "{error:?}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let secrets = ["AWS_SECRET_ACCESS_KEY", "GOOGLE_SERVICE_ACCOUNT_KEY", "AZURE_STORAGE_ACCOUNT_KEY"];
    let [aws, google, azure] = secrets.map(|name| (name, "canary"));
    let account = ("AZURE_STORAGE_ACCOUNT_NAME", "box");
    let variables =
        [("HOME", "/h"), aws, google, azure, account, ("KEEPTRUSTS_API_TOKEN", "canary"), ("PGPASSWORD", "canary")];
    for source in ["https://api.example", "postgres://archiver@127.0.0.1/keeptrusts"] {
        let replica = Some(List(["gs://copy/x", "az://copy/x"].map(str::to_owned).to_vec()));
        let archive = Some("s3://bucket/x".to_owned());
        let config = Config { source: Some(source.to_owned()), archive, replica, ..Config::default() };
        let settings = Settings::new(config, &Environment::from(variables)).unwrap();
        let shown = format!("{settings:?}");
        assert!(shown.contains("s3://bucket/x") && !shown.contains("canary"), "{shown}");
    }
}
