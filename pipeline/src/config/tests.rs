use super::*;
use crate::{
    environment::Environment,
    units::{Count, DurationArg},
};
use archive_connectors::Result;
use archive_formats::Dataset;
use std::time::Duration;

impl Config {
    fn from_toml(text: &str) -> Result<Self> {
        Self::from_toml_in(&Environment::default(), text)
    }

    fn from_toml_in(environment: &Environment, text: &str) -> Result<Self> {
        Layer::from_toml(text, environment).map(|layer| layer.config().clone())
    }

    fn from_environment(environment: &Environment) -> Result<(Self, Vec<String>)> {
        Layer::from_environment(environment).map(|(layer, unknown)| (layer.config().clone(), unknown))
    }
}

fn hours(hours: u64) -> DurationArg {
    DurationArg(Duration::from_secs(hours * 3600))
}

#[test]
fn flags_beat_environment_and_environment_beats_file() {
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
fn every_key_has_a_variable_and_survives_a_merge() {
    for ConfigOption { key, .. } in OPTIONS {
        let value = match *key {
            "log-format" => "json",
            "progress" => "never",
            "verbose" | "jobs" | "connections" | "expect-head" | "quiet" | "allow-http" | "dry-run" | "repair"
            | "list" | "check" | "allow-gaps" | "csv-safe" | "force" | "drill" | "role-passwords" | "keep-daily"
            | "keep-monthly" | "keep-min" => "1",
            "part-size" => "1MiB",
            "file-mode" => "0600",
            "truncate-times" => "us",
            "match" => "column=value",
            "allow-empty" | "accept-schema-change" | "accept-source-change" | "new-dataset" | "parquet-compat" => {
                "true"
            }
            "rejects" | "conflicts" => "keep",
            "rename" => "old=new",
            "format" | "api-format" => "csv",
            "grace" | "api-margin" | "job-timeout" | "statement-timeout" | "lock-timeout" | "platform-retention"
            | "rpo" | "rto" => "1h",
            "digests" => "counts",
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
fn datasets_are_names_and_tables_in_one_array() {
    let tables = "[[dataset]]\nname = 'events'\n[[dataset]]\nname = 'decisions'\ntable = 'ai.d'\nid-column = 'n'\n\
                  time-column = 't'\ncolumns = 'n, t, ${COLUMN}'";
    let inline = "dataset = ['events', {name = 'decisions', table = 'ai.d', id-column = 'n', time-column = 't', \
                  columns = ['n', 't', 'verdict']}]";
    let environment = Environment::from([("COLUMN", "verdict")]);
    let datasets = |text| Config::from_toml_in(&environment, text).unwrap().dataset.unwrap();
    assert_eq!(datasets(tables), datasets(inline));
    let [events, decisions] = <[_; 2]>::try_from(datasets(tables).0).unwrap();
    assert_eq!(events, DatasetEntry::from(Dataset::default()));
    assert_eq!((decisions.name.as_str(), decisions.table.as_deref()), ("decisions", Some("ai.d")));
    assert_eq!((decisions.id_column.as_deref(), decisions.time_column.as_deref()), (Some("n"), Some("t")));
    assert_eq!(decisions.columns.map(|list| list.0), Some(["n", "t", "verdict"].map(str::to_owned).to_vec()));
}

#[test]
fn reports_errors_in_dataset_tables() {
    let mistakes = [
        ("[[dataset]]\ntable = 'x'", "missing field `name`", ""),
        ("[[dataset]]\nname = 'Events!'", "not a dataset name", ""),
        ("dataset = ['a', {name = 'a', table = 'x'}]", "the name \"a\"", ""),
        ("[[dataset]]\nname = 'a'\ntable = 5", "expected a string", ""),
        ("dataset = [{name = 'a'}, 5]", "the name of a dataset or a table", ""),
        ("[dataset]\nname = 'a'", "[[dataset]]", ""),
        ("grace = '1h'\n[[dataset]]\nname = 'a'\nid-colum = 'x'", "line 4", "\"id-column\""),
        ("dataset = [{name = 'a', tabel = 'x'}]", "line 1", "\"table\""),
        // The key is valid, but not in this table.
        ("[[dataset]]\nname = 'a'\n\ngrace = '1h'", "line 4", "above the first [[dataset]]"),
    ];
    for (text, message, hint) in mistakes {
        let error = Config::from_toml(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration, "{text}");
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert!(error.hint().contains(hint), "{text}: {:?}", error.hint());
    }
}

/// Merges flags with this TOML and a file.
fn merged(flags: &str, file: &str) -> Layers {
    let flags = flags.parse::<toml::Table>().unwrap();
    Layers {
        flags: Layer::from_flags(flags, &Environment::default()).unwrap(),
        environment: Layer::default(),
        file: Layer::from_toml(file, &Environment::default()).unwrap(),
    }
}

#[test]
fn dataset_named_above_the_file_keeps_its_description() {
    let file = "id-column = 'of-all'\n[[dataset]]\nname = 'events'\n[[dataset]]\nname = 'decisions'\ntable = 'd'\n\
                time-column = 't'\ncolumns = 'a'";
    let tables = |flags| merged(flags, file).merged().dataset.unwrap().0;
    let decisions = tables("dataset = 'decisions'");
    assert_eq!(decisions, tables("")[1..]);
    assert_eq!(decisions[0].table.as_deref(), Some("d"));
    assert_eq!(tables("dataset = 'other,decisions'")[1..], decisions);
    // A flag for all datasets beats the file's entry for one.
    let flags = "dataset = 'decisions'\ntable = 'x'\ntime-column = 'y'";
    let [entry] = <[_; 1]>::try_from(tables(flags)).unwrap();
    assert_eq!((entry.table, entry.time_column, entry.columns.is_some()), (None, None, true));
}

#[test]
fn shown_datasets_are_the_effective_ones() {
    let file = "[[dataset]]\nname = 'events'\n[[dataset]]\nname = 'decisions'\ntable = 'd'\ncolumns = 'a,b'";
    let shown = |flags, file| {
        let layers = merged(flags, file);
        let mut settings = layers.settings().into_iter();
        let shown = settings.find(|setting| setting.key == "dataset").unwrap();
        let again = format!("dataset = {}", shown.value);
        assert_eq!(Config::from_toml(&again).unwrap().dataset, layers.merged().dataset, "{again}");
        (shown.value.to_string(), shown.from)
    };
    let decisions = r#"{ columns = ["a", "b"], name = "decisions", table = "d" }"#;
    assert_eq!(shown("dataset = 'decisions'", file), (format!("[{decisions}]"), Origin::Flag));
    assert_eq!(shown("", file), (format!(r#"[{{ name = "events" }}, {decisions}]"#), Origin::File));
    assert_eq!(shown("dataset = 'events'", file), ("\"events\"".to_owned(), Origin::Flag));
    assert_eq!(shown("", "dataset = ['events']").0, "[\"events\"]");
}

#[test]
fn condition_is_not_split_at_commas() {
    let conditions = |text| Config::from_toml(text).unwrap().r#match.map(|conditions| conditions.0);
    let one = conditions("match = 'note=a, b=c'").unwrap();
    assert_eq!((one[0].column.as_str(), one[0].value.as_str(), one.len()), ("note", "a, b=c", 1));
    assert_eq!(conditions("match = ['a=1', 'b=']").unwrap().len(), 2);
}

#[test]
fn unknown_key_suggests_the_nearest_known_one() {
    let error = Config::from_toml("grace = '1h'\nachive = '/backup'").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    assert!(error.to_string().contains("line 2") && error.to_string().contains("\"achive\""), "{error}");
    assert!(error.hint().contains("\"archive\""), "{error:?}");
}

#[test]
fn unknown_variable_is_reported_but_not_fatal() {
    let environment = Environment::from([("KT_ARCHIVE_GRASE", "1h"), ("KT_ARCHIVE_CONFIG", "x"), ("OTHER", "y")]);
    let (config, unknown) = Config::from_environment(&environment).unwrap();
    assert_eq!((config, unknown), (Config::default(), vec!["KT_ARCHIVE_GRASE".to_owned()]));
}

#[test]
fn invalid_value_names_its_location() {
    let environment = Environment::from([("KT_ARCHIVE_GRACE", "soon")]);
    let error = Config::from_environment(&environment).unwrap_err();
    assert!(error.to_string().starts_with("KT_ARCHIVE_GRACE cannot be used: expected a duration"), "{error}");
    let error = Config::from_toml("jobs = 'many'").unwrap_err();
    assert!(error.to_string().starts_with("\"jobs\" in the configuration file"), "{error}");
    let error = Config::from_toml("level = 'fast'").unwrap_err();
    assert!(error.to_string().contains("`quick`"), "{error}");
}

#[test]
fn number_without_a_unit_is_refused_in_every_layer_with_a_hint() {
    let environment = Environment::from([("KT_ARCHIVE_PART_SIZE", "64")]);
    let in_environment = Config::from_environment(&environment).unwrap_err();
    let flags = toml::Table::from_iter([("part-size".to_owned(), "64".into())]);
    let in_flags = Layer::from_flags(flags, &environment).unwrap_err();
    let in_file = ["part-size = 64", "part-size = '64'"].map(|text| Config::from_toml(text).unwrap_err());
    for (error, name) in [(in_environment, "KT_ARCHIVE_PART_SIZE"), (in_flags, "--part-size")]
        .into_iter()
        .chain(in_file.map(|error| (error, "\"part-size\" in the configuration file")))
    {
        assert!(error.to_string().starts_with(name), "{error}");
        assert_eq!(error.hint(), "add the unit: 64KiB, 64MiB, 64GiB");
    }
}

#[test]
fn value_of_another_type_is_refused_with_the_expected_type_and_an_example() {
    for (text, message, hint) in [
        (
            "archive = 5",
            "\"archive\" in the configuration file cannot be used: expected a text, not a number",
            "./archive",
        ),
        ("quiet = 3", "expected true or false, not a number", "write it like quiet = true"),
        ("replica = true", "expected a text or an array of texts, not true or false", "[\"s3://bucket/prefix\"]"),
        ("part-size = true", "expected a text, not true or false", "write it like part-size = \"256MiB\""),
        ("jobs = [1]", "expected a whole number, not an array", "write it like jobs = 2"),
        ("file-mode = 640", "expected a text, not a number", "write it like file-mode = \"0640\""),
        ("columns = [1]", "not an array of other values", "write it like columns = [\"name\"]"),
        ("rejects = 'keeep'", "expected `fail` or `keep`", "did you mean keep?"),
        ("part-size = '1,5GiB'", "not \"1,5GiB\"", "write a whole number and its unit: 1536MiB"),
    ] {
        let error = Config::from_toml(text).unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert!(error.hint().contains(hint), "{text}: {}", error.hint());
    }
}

#[test]
fn home_folder_is_expanded_in_every_layer() {
    let environment = Environment::from([("HOME", "/home/ada"), ("KT_ARCHIVE_REPLICA", "~/b,s3://c"), ("D", "~/d")]);
    let flags = toml::Table::from_iter([("archive".to_owned(), "~/a".into())]);
    let layers = Layers {
        flags: Layer::from_flags(flags, &environment).unwrap(),
        environment: Layer::from_environment(&environment).unwrap().0,
        file: Layer::from_toml("state-dir = '${D}'\nmetrics-file = '/m.prom'", &environment).unwrap(),
    };
    let merged = layers.merged();
    assert_eq!(merged.archive.as_deref(), Some("/home/ada/a"));
    assert_eq!(merged.replica.map(|list| list.0).unwrap(), ["/home/ada/b", "s3://c"]);
    assert_eq!(merged.state_dir, Some("/home/ada/d".into()));
    assert!(layers.file.is_below_home("state-dir") && !layers.file.is_below_home("metrics-file"));
    let error = Layer::from_toml("output = '~root/x'", &environment).unwrap_err();
    assert!(error.to_string().starts_with("\"output\" in the configuration file begins with ~"), "{error}");
}

#[test]
fn invalid_toml_is_not_quoted() {
    let error = Config::from_toml("grace = '1h'\ntoken = kt_live_canary").unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

#[test]
fn rejects_format_cannot_be_requested() {
    let error = Config::from_toml("format = 'rejects'").unwrap_err();
    assert!(error.to_string().contains("parquet, csv or artifact"), "{error}");
}

#[test]
fn variables_are_substituted_in_texts_and_arrays_and_add_no_keys() {
    let environment = Environment::from([("BUCKET", "b'\"\njobs = 9"), ("SET", "traces")]);
    let file = "archive = 's3://${BUCKET}/x'\ndataset = ['events', '${SET}']\nid-column = '$${ID}'";
    let config = Config::from_toml_in(&environment, file).unwrap();
    assert_eq!(config.archive.as_deref(), Some("s3://b'\"\njobs = 9/x"));
    assert_eq!(config.dataset, Some(["events", "traces"].map(|name| name.parse::<Dataset>().unwrap()).to_vec().into()));
    assert_eq!((config.id_column.as_deref(), config.jobs), (Some("${ID}"), None));
}

#[test]
fn missing_variable_is_named_with_its_key() {
    for value in ["'${BUCKET}'", "['${BUCKET}']"] {
        let error = Config::from_toml(&format!("archive = {value}")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("BUCKET") && error.to_string().contains("\"archive\""), "{error}");
    }
    let error = Config::from_toml("archive = '${BUCKET'").unwrap_err();
    assert!(error.to_string().contains("\"archive\"") && error.hint().contains("${NAME}"), "{error:?}");
}

#[test]
fn variable_values_are_never_printed() {
    let environment = Environment::from([("TOKEN", "canary")]);
    for text in ["grace = '${TOKEN}'", "level = '${TOKEN}'", "format = ['${TOKEN}']", "dataset = ['!${TOKEN}']"] {
        let error = Config::from_toml_in(&environment, text).unwrap_err();
        assert!(!format!("{error} {error:?} {:?}", error.hint()).contains("canary"), "{error:?}");
        assert!(error.to_string().contains("cannot be used: "), "{error}");
    }
}

#[test]
fn settings_report_their_layer() {
    let environment = Environment::from([("KT_ARCHIVE_GRACE", "2h"), ("KT_ARCHIVE_JOBS", "3")]);
    let layers = Layers {
        flags: Layer::from_flags(toml::Table::from_iter([("jobs".to_owned(), 1.into())]), &environment).unwrap(),
        environment: Layer::from_environment(&environment).unwrap().0,
        file: Layer::from_toml("grace = '3h'\njob-timeout = '3h'", &environment).unwrap(),
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

#[test]
fn every_key_of_a_dataset_is_read_and_has_an_option_that_explains_it() {
    let table = DatasetEntry::KEYS.map(|key| format!("{key} = 'x'\n")).concat();
    let datasets = Config::from_toml(&format!("[[dataset]]\n{table}")).unwrap().dataset.unwrap();
    let written = toml::Table::try_from(&datasets.0[0]).unwrap();
    assert_eq!(written.keys().len(), DatasetEntry::KEYS.len(), "{written}");
    assert!(DatasetEntry::KEYS[1..].iter().all(|key| option(key).is_some()));
}
