//! The `--json` document.

use crate::{exit::ExitCode, report::Failure};
use serde_json::{Map, Value, json};

/// The one document of a command, on one line: what every command has, then the fields of its report.
pub(super) fn document(command: Option<&str>, exit: ExitCode, error: Option<&Failure>, report: Value) -> String {
    let mut document = Map::new();
    document.insert("command".to_owned(), json!(command));
    document.insert("exit".to_owned(), json!(exit.code()));
    document.insert("error".to_owned(), json!(error));
    if let Value::Object(fields) = report {
        document.extend(fields);
    }
    format!("{}\n", Value::Object(document))
}

/// The fields of a command that failed before it had a report: readers find every field that they know.
pub(super) fn empty_report(command: Option<&str>) -> Value {
    match command {
        Some("run" | "backfill") => json!({"archive": null, "head": null, "months": [], "replicas": []}),
        Some("verify") => {
            json!({"level": null, "manifests": 0, "files": 0, "events": 0, "bytes": 0, "findings": []})
        }
        Some("status") => json!({"archive": null, "head": null, "datasets": [], "replicas": []}),
        Some("report") => json!({"output": null, "bytes": 0, "archive": null, "head": null, "unread": []}),
        Some("doctor" | "config check") => json!({"checks": []}),
        Some("config show") => json!({"settings": []}),
        Some("config schema") => json!({"schema": null}),
        Some("replicate") => json!({"replicas": []}),
        Some("pull") => json!({"rows": 0, "bytes": 0, "output": null, "manifest": null}),
        Some("restore") => json!({
            "dataset": null, "month": null, "into": null, "table": null, "rows": 0, "columns": [], "drill": false, "notes": [],
        }),
        Some("schedule") => json!({"kind": null, "job": null}),
        Some("completions") => json!({"shell": null, "script": null}),
        Some("man") => json!({"pages": []}),
        _ => json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_has_its_message_its_hint_and_the_fields_of_the_report() {
        let failure = Failure { message: "no".to_owned(), hint: None, exit: ExitCode::Usage };
        let text = document(Some("status"), ExitCode::Usage, Some(&failure), empty_report(Some("status")));
        let expected = r#"{"command":"status","exit":2,"error":{"message":"no","hint":null},"archive":null,"head":null,"datasets":[],"replicas":[]}"#;
        assert_eq!(text.trim_end(), expected);
    }
}
