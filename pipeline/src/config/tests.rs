use super::*;
use std::time::Duration;

fn hours(hours: u64) -> Span {
    Span(Duration::from_secs(hours * 3600))
}

#[test]
fn flags_beat_the_environment_and_the_environment_beats_the_file() {
    let file = Config::from_toml("grace = '3h'\napi-margin = '3h'\njob-timeout = '3h'\njobs = 2").unwrap();
    let environment = Environment::from([("KT_ARCHIVE_GRACE", "2h"), ("KT_ARCHIVE_API_MARGIN", "2h")]);
    let (environment, unknown) = Config::from_environment(&environment).unwrap();
    let flags = Config { grace: Some(hours(1)), ..Config::default() };
    let merged = flags.or(environment).or(file);
    assert_eq!((merged.grace, merged.api_margin, merged.job_timeout), (Some(hours(1)), Some(hours(2)), Some(hours(3))));
    assert_eq!(merged.jobs, Some(Count(2)));
    assert!(unknown.is_empty());
}

#[test]
fn every_key_can_be_set_by_a_variable_and_survives_a_merge() {
    for key in keys::all() {
        let value = match *key {
            "log-format" => "json",
            "progress" => "never",
            "verbose" | "jobs" | "expect-head" | "part-size" | "quiet" | "allow-http" | "dry-run" => "1",
            "allow-empty" | "accept-schema-change" => "true",
            "rejects" | "conflicts" => "keep",
            "rename" => "old=new",
            "format" | "api-format" => "csv",
            "grace" | "api-margin" | "job-timeout" => "1h",
            "api-layout" => "exports-jobs",
            "level" => "quick",
            _ => "text",
        };
        let variable = format!("KT_ARCHIVE_{}", key.to_uppercase().replace('-', "_"));
        let environment = Environment::from([(variable.as_str(), value)]);
        let (config, unknown) = Config::from_environment(&environment).unwrap();
        assert_ne!(config, Config::default(), "{key}");
        assert_eq!(config.clone().or(Config::default()), config, "{key}");
        assert_eq!(Config::default().or(config.clone()), config, "{key}");
        assert!(unknown.is_empty(), "{key}");
    }
}

#[test]
fn lists_are_texts_with_commas_or_arrays() {
    let array = Config::from_toml("dataset = ['events', 'traces']\nformat = ['csv']").unwrap();
    let text = Config::from_toml("dataset = 'events, traces'\nformat = 'csv'").unwrap();
    assert_eq!(array, text);
    assert_eq!(array.dataset.map(|list| list.0.len()), Some(2));
}

#[test]
fn an_unknown_key_of_the_file_names_the_nearest_known_one() {
    let error = Config::from_toml("achive = '/backup'").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("\"achive\""), "{error}");
    assert!(error.hint().unwrap_or_default().contains("\"archive\""), "{error:?}");
}

#[test]
fn an_unknown_variable_is_told_and_not_fatal() {
    let environment = Environment::from([("KT_ARCHIVE_GRASE", "1h"), ("KT_ARCHIVE_CONFIG", "x"), ("OTHER", "y")]);
    let (config, unknown) = Config::from_environment(&environment).unwrap();
    assert_eq!((config, unknown), (Config::default(), vec!["KT_ARCHIVE_GRASE".to_owned()]));
}

#[test]
fn a_bad_value_says_where_it_stands() {
    let environment = Environment::from([("KT_ARCHIVE_GRACE", "soon")]);
    let error = Config::from_environment(&environment).unwrap_err();
    assert!(error.to_string().starts_with("KT_ARCHIVE_GRACE cannot be used: expected a duration"), "{error}");
    let error = Config::from_toml("jobs = 'many'").unwrap_err();
    assert!(error.to_string().starts_with("\"jobs\" in the configuration file"), "{error}");
    let error = Config::from_toml("level = 'fast'").unwrap_err();
    assert!(error.to_string().contains("`quick`"), "{error}");
}

#[test]
fn a_file_that_is_not_toml_is_not_quoted() {
    let error = Config::from_toml("grace = '1h'\ntoken = kt_live_canary").unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

#[test]
fn rejects_are_no_format_that_can_be_asked_for() {
    let error = Config::from_toml("format = 'rejects'").unwrap_err();
    assert!(error.to_string().contains("parquet, csv or artifact"), "{error}");
}
