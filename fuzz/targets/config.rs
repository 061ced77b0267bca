//! The configuration file.

#![no_main]

use archive::{
    config::{Layer, Layers, escape},
    environment::Environment,
    settings::Settings,
};
use archive_connectors::ErrorKind;
use archive_fuzz::scratch_file;
use libfuzzer_sys::fuzz_target;
use toml::{Table, Value};

/// The value of the variable `SECRET`.
const CANARY: &str = "canary-of-a-variable";

fuzz_target!(|data: &[u8]| {
    let environment = Environment::from([("SECRET", CANARY), ("A", "a"), ("HOME", "/nowhere")]);
    let layer = match Layer::from_file(&scratch_file(data), &environment) {
        Ok(layer) => layer,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
            let printed = format!("{error} {error:?} {}", error.hint());
            assert!(!printed.contains(CANARY), "{printed}");
            return;
        }
    };
    let text = str::from_utf8(data).expect("a file that was read");
    assert!(layer.variables().iter().all(|name| text.contains(name.as_str())));
    let layers = Layers { file: layer, ..Layers::default() };
    // What is shown of the settings, as a file, has the same settings.
    let shown = layers.settings().into_iter().map(|setting| (setting.key.to_owned(), escaped(setting.value)));
    let printed = shown.collect::<Table>().to_string();
    let again = Layer::from_file(&scratch_file(printed.as_bytes()), &environment);
    let again = Layers { file: again.unwrap_or_else(|error| panic!("{error:?}: {printed}")), ..Layers::default() };
    assert_eq!(again.merged(), layers.merged(), "{printed}");
    let mut config = layers.merged();
    // A path of the input is not opened.
    config.pseudonym_key_file = None;
    if let Err(error) = Settings::new(config, &environment) {
        assert!(!error.to_string().is_empty() && !error.hint().is_empty(), "{error:?}");
    }
});

/// The value without variables.
fn escaped(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(escape(&text)),
        Value::Array(values) => Value::Array(values.into_iter().map(escaped).collect()),
        Value::Table(table) => Value::Table(table.into_iter().map(|(key, value)| (key, escaped(value))).collect()),
        other => other,
    }
}
