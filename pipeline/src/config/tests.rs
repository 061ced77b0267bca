use super::*;
use crate::environment::Environment;
use archive_connectors::Result;
use std::time::Duration;

impl Config {
    fn from_toml(text: &str) -> Result<Self> {
        Self::from_toml_in(&Environment::default(), text)
    }

    fn from_toml_in(environment: &Environment, text: &str) -> Result<Self> {
        Layer::of_toml(text, environment).map(|layer| layer.config().clone())
    }

    fn from_environment(environment: &Environment) -> Result<(Self, Vec<String>)> {
        Layer::of_environment(environment).map(|(layer, unknown)| (layer.config().clone(), unknown))
    }
}

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
            "verbose" | "jobs" | "expect-head" | "part-size" | "quiet" | "allow-http" | "dry-run" | "repair"
            | "allow-gaps" | "csv-safe" | "force" => "1",
            "match" => "column=value",
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
fn a_condition_is_never_split_at_its_commas() {
    let conditions = |text| Config::from_toml(text).unwrap().r#match.map(|conditions| conditions.0);
    let one = conditions("match = 'note=a, b=c'").unwrap();
    assert_eq!((one[0].column.as_str(), one[0].value.as_str(), one.len()), ("note", "a, b=c", 1));
    assert_eq!(conditions("match = ['a=1', 'b=']").unwrap().len(), 2);
}

#[test]
fn an_unknown_key_of_the_file_names_the_nearest_known_one() {
    let error = Config::from_toml("grace = '1h'\nachive = '/backup'").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("line 2") && error.to_string().contains("\"achive\""), "{error}");
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

#[test]
fn variables_are_filled_into_texts_and_arrays_and_can_add_no_key() {
    let environment = Environment::from([("BUCKET", "b'\"\njobs = 9"), ("SET", "traces")]);
    let file = "archive = 's3://${BUCKET}/x'\ndataset = ['events', '${SET}']\nid-column = '$${ID}'";
    let config = Config::from_toml_in(&environment, file).unwrap();
    assert_eq!(config.archive.as_deref(), Some("s3://b'\"\njobs = 9/x"));
    assert_eq!(
        config.dataset.map(|list| list.0.iter().map(Dataset::to_string).collect()),
        Some(vec!["events".to_owned(), "traces".to_owned()])
    );
    assert_eq!((config.id_column.as_deref(), config.jobs), (Some("${ID}"), None));
}

#[test]
fn a_variable_that_is_missing_is_named_with_its_key() {
    for value in ["'${BUCKET}'", "['${BUCKET}']"] {
        let error = Config::from_toml(&format!("archive = {value}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("BUCKET") && error.to_string().contains("\"archive\""), "{error}");
    }
    let error = Config::from_toml("archive = '${BUCKET'").unwrap_err();
    assert!(error.to_string().contains("\"archive\"") && error.hint().unwrap().contains("${NAME}"), "{error:?}");
}

#[test]
fn what_a_variable_holds_is_never_told() {
    let environment = Environment::from([("TOKEN", "canary")]);
    for text in ["grace = '${TOKEN}'", "level = '${TOKEN}'", "format = ['${TOKEN}']", "dataset = ['!${TOKEN}']"] {
        let error = Config::from_toml_in(&environment, text).unwrap_err();
        assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("canary"), "{error:?}");
        assert!(error.to_string().contains("cannot be used: "), "{error}");
    }
}

#[test]
fn each_setting_knows_the_layer_that_chose_it() {
    let environment = Environment::from([("KT_ARCHIVE_GRACE", "2h"), ("KT_ARCHIVE_JOBS", "3")]);
    let flags = Config { jobs: Some(Count(1)), ..Config::default() };
    let layers = Layers {
        flags: Layer::of_flags(flags, toml::Table::from_iter([("jobs".to_owned(), 1.into())])),
        environment: Layer::of_environment(&environment).unwrap().0,
        file: Layer::of_toml("grace = '3h'\njob-timeout = '3h'", &environment).unwrap(),
    };
    let settings = layers.settings().into_iter().map(|it| (it.key, it.value, it.from)).collect::<Vec<_>>();
    let expected = [
        ("grace", "2h".into(), Origin::Variable("KT_ARCHIVE_GRACE".to_owned())),
        ("job-timeout", "3h".into(), Origin::File),
        ("jobs", 1.into(), Origin::Flag),
    ];
    assert_eq!(settings, expected);
    assert_eq!(layers.merged().jobs, Some(Count(1)));
}
