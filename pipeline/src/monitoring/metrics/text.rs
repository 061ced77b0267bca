//! Prometheus' text exposition format 0.0.4: writing families, and keeping lines of an earlier file.
//!
//! Not a crate's: encoders write `OpenMetrics` with its `# EOF`, and parsers return values instead of the lines to keep.

use super::Family;
use archive_formats::printable;
use std::fmt::Write as _;

/// The first bytes of every file.
pub(super) const BEGINNING: &str = "# HELP kt_archive_";

/// The prefix of all metric names.
const PREFIX: &str = "kt_archive_";

/// The prefix of the metrics of backups, which have a place of their own and may share the file.
pub(super) const BACKUPS: &str = "kt_archive_backup_";

/// The text of `families`, each with its help and type.
pub(super) fn render(families: &[Family]) -> String {
    let mut text = String::new();
    for Family { name, help, samples } in families {
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        push(&mut text, format_args!("# HELP {name} {help}\n# TYPE {name} gauge\n"));
        for sample in samples {
            let labels = sample.labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escaped(value)));
            let labels = labels.collect::<Vec<_>>().join(",");
            push(&mut text, format_args!("{name}{{{labels}}} {}\n", sample.value));
        }
    }
    text
}

/// The lines of `earlier` about `archive`, of the metrics that `is_kept` accepts. Drops invalid and foreign lines: one of them
/// would make Prometheus reject the whole file.
pub(super) fn carried(earlier: &str, archive: &str, is_kept: impl Fn(&str) -> bool) -> String {
    let archive = escaped(archive);
    kept(earlier, |name, of| !name.starts_with(BACKUPS) && of.is_none_or(|of| of == archive) && is_kept(name))
}

/// The lines of `earlier` of the metrics that `is_kept` accepts, given the name and, for a sample, the escaped archive.
pub(super) fn kept(earlier: &str, is_kept: impl Fn(&str, Option<&str>) -> bool) -> String {
    let mut text = String::new();
    for line in earlier.lines() {
        let comment = ["# HELP ", "# TYPE "].iter().find_map(|word| line.strip_prefix(word));
        let found = match (comment, sample(line)) {
            (Some(comment), _) => comment.split(' ').next().map(|name| (name, None)),
            (None, Some(sample)) => Some((sample.name, Some(sample.archive))),
            (None, None) => None,
        };
        if found.is_some_and(|(name, archive)| name.starts_with(PREFIX) && is_kept(name, archive)) {
            push(&mut text, format_args!("{line}\n"));
        }
    }
    text
}

/// The sample of `name` in `earlier` whose only label is `archive`.
pub(super) fn value(earlier: &str, archive: &str, name: &str) -> Option<f64> {
    let mut samples = earlier.lines().filter_map(sample);
    let is_it = |found: &SampleLine<'_>| found.name == name && found.archive == escaped(archive) && found.is_whole;
    samples.find(is_it).map(|found| found.value)
}

/// The samples of `name` in `earlier` of `archive`: the value of their second label, which is `label`, and theirs.
pub(super) fn samples(earlier: &str, archive: &str, name: &str, label: &str) -> Vec<(String, f64)> {
    let archive = escaped(archive);
    let lines = earlier.lines().filter_map(sample).filter(|found| found.name == name && found.archive == archive);
    let labelled = lines.filter_map(|found| {
        let (second, value) = found.second?;
        (second == label).then(|| (value.to_owned(), found.value))
    });
    labelled.collect()
}

/// A sample line, as [`render`] writes it.
struct SampleLine<'a> {
    name: &'a str,
    /// The value of the first label, escaped.
    archive: &'a str,
    /// Whether the archive is the only label.
    is_whole: bool,
    /// The second label, and its escaped value.
    second: Option<(&'a str, &'a str)>,
    value: f64,
}

fn sample(line: &str) -> Option<SampleLine<'_>> {
    let (name, mut rest) = line.split_once('{')?;
    if !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_') {
        return None;
    }
    let mut labels = Vec::new();
    loop {
        let (label, value) = rest.split_once("=\"")?;
        let end = closing_quote(value)?;
        labels.push((label, &value[..end]));
        rest = &value[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    let value = rest.strip_prefix("} ")?.parse::<f64>().ok()?;
    let (_, archive) = *labels.first().filter(|(label, _)| *label == "archive")?;
    Some(SampleLine { name, archive, is_whole: labels.len() == 1, second: labels.get(1).copied(), value })
}

/// The position of the first unescaped quote.
fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    })
}

fn escaped(value: &str) -> String {
    printable(value).replace('\\', r"\\").replace('"', "\\\"")
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).unwrap_or_else(|_| unreachable!("writing to a String cannot fail"));
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Sample, Value},
        *,
    };

    /// Needs every escape.
    const NASTY: &str = "C:\\a \"b\"\n{x=\"y\"} 1";

    fn family(name: &'static str, archive: &str, more: &[(&'static str, &str)], value: Value) -> Family {
        let more = more.iter().map(|(label, value)| (*label, (*value).to_owned()));
        let labels = [("archive", archive.to_owned())].into_iter().chain(more).collect();
        Family { name, help: "A metric.", samples: vec![Sample { labels, value }] }
    }

    #[test]
    fn family_has_help_type_and_samples() {
        let events = family("kt_archive_events", "/srv/a", &[("dataset", "events")], Value::Count(u64::MAX));
        let began = family("kt_archive_began", "s3://b/ü", &[], Value::Real(1_763_863_620.123_456));
        let expected = "\
# HELP kt_archive_events A metric.
# TYPE kt_archive_events gauge
kt_archive_events{archive=\"/srv/a\",dataset=\"events\"} 18446744073709551615
# HELP kt_archive_began A metric.
# TYPE kt_archive_began gauge
kt_archive_began{archive=\"s3://b/ü\"} 1763863620.123456
";
        assert_eq!(render(&[events, began]), expected);
    }

    #[test]
    fn escapes_are_read_back() {
        let help = Family { help: "a\\b\nc", ..family("kt_archive_events", NASTY, &[], Value::Count(3)) };
        let text = render(&[help]);
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.starts_with("# HELP kt_archive_events a\\\\b\\nc\n"), "{text}");
        assert!(text.contains(r#"{archive="C:\\a \"b\"\\n{x=\"y\"} 1"} 3"#), "{text}");
        assert_eq!(value(&text, NASTY, "kt_archive_events"), Some(3.0));
        assert_eq!(carried(&text, NASTY, |_| true), text);
    }

    #[test]
    fn value_is_of_the_whole_archive() {
        let part = family("kt_archive_events", "a", &[("dataset", "events")], Value::Count(1));
        let whole = family("kt_archive_events", "a", &[], Value::Count(2));
        let text = render(&[part, whole]);
        assert_eq!(value(&text, "a", "kt_archive_events"), Some(2.0));
        assert_eq!(value(&text, "b", "kt_archive_events"), None);
        assert_eq!(value(&text, "a", "kt_archive_event"), None);
    }

    #[test]
    fn only_lines_of_the_archive_are_carried() {
        let kept = render(&[family("kt_archive_events", "a", &[("dataset", "b")], Value::Count(1))]);
        let other = r#"kt_archive_events{archive="b"} 1"#;
        let gone = render(&[family("kt_archive_run_bytes", "a", &[], Value::Count(1))]);
        let text = format!("{kept}{other}\nnode_load1 0.3\n# EOF\n{gone}");
        assert_eq!(carried(&text, "a", |name| name != "kt_archive_run_bytes"), kept);
    }

    #[test]
    fn damaged_lines_are_dropped() {
        for line in [
            "",
            "kt_archive_events",
            "kt_archive_events{",
            r#"kt_archive_events{archive="a"#,
            r#"kt_archive_events{archive="a"}"#,
            r#"kt_archive_events{archive="a"} "#,
            r#"kt_archive_events{archive="a"} many"#,
            r#"kt_archive_events{archive="a",} 1"#,
            r#"kt_archive_events{dataset="a",archive="a"} 1"#,
            r#"kt_archive events{archive="a"} 1"#,
            "\0\0\0\0",
            "ü{archive=\"a\"} 1",
        ] {
            assert_eq!(carried(line, "a", |_| true), "", "{line}");
        }
    }
}
