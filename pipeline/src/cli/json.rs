//! The `--json` document.

use super::{
    completions::PrintedCompletions,
    config::{PrintedSchema, ShownSettings},
    man::WrittenPages,
    schedule::PrintedJob,
};
use crate::{
    doctor::DoctorReport,
    exit::ExitCode,
    page::PageReport,
    pull::PullReport,
    replicate::ReplicateReport,
    report::{Failure, Report},
    restore::RestoreReport,
    run::RunReport,
    status::StatusReport,
    verify::VerifyReport,
};
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

/// The fields of a report.
pub(super) fn fields<R: Report>(report: &R) -> Value {
    serde_json::to_value(report).unwrap_or_else(|_| unreachable!("reports have string keys"))
}

/// The fields of a command that failed before it had a report, by its name: readers find every field that they know.
pub(super) fn empty_report(command: Option<&str>) -> Value {
    match command {
        Some("run" | "backfill") => fields(&RunReport::default()),
        Some("verify") => fields(&VerifyReport::default()),
        Some("status") => fields(&StatusReport::default()),
        Some("report") => fields(&PageReport::default()),
        Some("doctor" | "config check") => fields(&DoctorReport::default()),
        Some("config show") => fields(&ShownSettings::default()),
        Some("config schema") => fields(&PrintedSchema::default()),
        Some("replicate") => fields(&ReplicateReport::default()),
        Some("pull") => fields(&PullReport::default()),
        Some("restore") => fields(&RestoreReport::default()),
        Some("schedule") => fields(&PrintedJob::default()),
        Some("completions") => fields(&PrintedCompletions::default()),
        Some("man") => fields(&WrittenPages::default()),
        _ => Value::Object(Map::new()),
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
