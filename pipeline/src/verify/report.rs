//! The report of `verify`.

use super::recorded::RecordedDamage;
use crate::{
    config::Level,
    exit::ExitCode,
    human::{count, date, size},
    report::{Failure, Report},
    style::{Style, Tone},
    wrap::wrap,
};
use archive_formats::{Head, key::ObjectName, printable};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::cmp::Ordering;

/// The report of `verify`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct VerifyReport {
    /// How thoroughly the archive was read.
    pub level: Option<Level>,
    /// The last readable manifest.
    #[serde(skip)]
    pub head: Option<Head>,
    /// Manifests that were read.
    pub manifests: u64,
    /// Data files that were checked.
    pub files: u64,
    /// Events in them.
    pub events: u64,
    /// Their size.
    pub bytes: u64,
    /// The findings, in their order.
    pub findings: Vec<Finding>,
    /// Damage that earlier verifications found, and that this one does not clear.
    pub earlier: Vec<RecordedDamage>,
    /// How thoroughly more of it was found than is listed.
    #[serde(skip)]
    pub unlisted: Option<Level>,
}

/// One inconsistency. Findings are ordered by what has to be read first: damage before warnings, and the chain before the
/// files, since a missing manifest leaves its files without a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Its code.
    pub code: Code,
    /// Its severity.
    pub severity: Severity,
    /// The object that it concerns.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
}

impl Ord for Finding {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |finding: &Self| {
            let is_of_files = !matches!(
                ObjectName::parse(&finding.path),
                ObjectName::Archive | ObjectName::Manifest(_) | ObjectName::Sums(_)
            );
            (finding.severity, is_of_files, finding.code)
        };
        rank(self).cmp(&rank(other)).then_with(|| (&self.path, &self.message).cmp(&(&other.path, &other.message)))
    }
}

impl PartialOrd for Finding {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The archive differs from what was committed.
    Damage,
    /// Needs attention; the committed events are complete.
    Warning,
}

/// Codes of findings. Part of the command line's contract; their meaning never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// V003: the digest of a manifest differs from the reference in its successor.
    ChainBroken,
    /// V004: a manifest is missing.
    SequenceHole,
    /// V005: the head is older than expected.
    OldHead,
    /// V006: `SHA256SUMS` differs from its manifest, or is missing.
    Sums,
    /// V007: a manifest belongs to another archive.
    ForeignManifest,
    /// V010: an object is missing.
    Missing,
    /// V011: an object has another size.
    Size,
    /// V012: an object has another digest.
    Digest,
    /// V015: a file that no manifest names.
    Unnamed,
    /// V016: a month was committed twice.
    MonthTwice,
    /// V020: a file has another number of rows.
    RowCount,
    /// V021: counts are inconsistent.
    Balance,
    /// V022: a row is outside its month.
    OutsideMonth,
    /// V023: an id appears more often than the manifest counts.
    IdTwice,
    /// V024: a file has other columns than its manifest.
    Schema,
    /// V030: a month of the range is missing.
    MonthMissing,
    /// V040: a dump cannot be read to its end, or a backup has other files than it needs.
    Dump,
    /// V041: a backup was restored on trial, and differed.
    Unproved,
}

impl Code {
    /// Every code.
    const ALL: [Self; 18] = [
        Self::ChainBroken,
        Self::SequenceHole,
        Self::OldHead,
        Self::Sums,
        Self::ForeignManifest,
        Self::Missing,
        Self::Size,
        Self::Digest,
        Self::Unnamed,
        Self::MonthTwice,
        Self::RowCount,
        Self::Balance,
        Self::OutsideMonth,
        Self::IdTwice,
        Self::Schema,
        Self::MonthMissing,
        Self::Dump,
        Self::Unproved,
    ];

    /// The code as text.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChainBroken => "V003",
            Self::SequenceHole => "V004",
            Self::OldHead => "V005",
            Self::Sums => "V006",
            Self::ForeignManifest => "V007",
            Self::Missing => "V010",
            Self::Size => "V011",
            Self::Digest => "V012",
            Self::Unnamed => "V015",
            Self::MonthTwice => "V016",
            Self::RowCount => "V020",
            Self::Balance => "V021",
            Self::OutsideMonth => "V022",
            Self::IdTwice => "V023",
            Self::Schema => "V024",
            Self::MonthMissing => "V030",
            Self::Dump => "V040",
            Self::Unproved => "V041",
        }
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = Self::ALL.into_iter().find(|code| code.as_str() == text);
        known.ok_or_else(|| D::Error::custom(format!("unknown code {text:?}")))
    }
}

impl Report for VerifyReport {
    /// Damage takes precedence over a missing month, and known damage counts like new; warnings alone are not a failure.
    /// An archive without months proves nothing.
    fn exit(&self) -> ExitCode {
        if self.findings.iter().any(|finding| finding.severity == Severity::Damage) || self.has_earlier_damage() {
            ExitCode::Damaged
        } else if self.manifests == 0 || self.findings.iter().any(|finding| finding.code == Code::MonthMissing) {
            ExitCode::Incomplete
        } else {
            ExitCode::Done
        }
    }

    fn text(&self, style: Style) -> String {
        let listed = self.findings.iter().map(|finding| paragraph(finding, style)).collect::<String>();
        let parts = [
            count(self.manifests, "manifest"),
            count(self.files, "file"),
            count(self.events, "event"),
            size(self.bytes),
        ];
        let level = match self.level {
            Some(Level::Quick) => " by name and size",
            Some(Level::Full) | None => "",
        };
        let summary =
            format!("verified {}{level}: {}", parts.join(", "), findings(&self.findings, !self.has_earlier_damage()));
        format!("{listed}{}{}\n", earlier(self, style), style.fit(&summary))
    }

    fn failure(&self) -> Option<Failure> {
        let exit = self.exit();
        let (message, hint) = match exit {
            ExitCode::Done => return None,
            ExitCode::Incomplete if self.manifests == 0 => (
                "there is nothing to verify: no month is archived here",
                "check --archive; `kt-archive run` archives a month",
            ),
            ExitCode::Incomplete => {
                ("the archive lacks months of the range", "archive them with `kt-archive backfill --from … --to …`")
            }
            _ if !self.earlier.is_empty() && self.is_about_named_heads() => (
                "a head that was named earlier is not in the chain",
                "restore the end of the chain; if the head was mistyped, verify once with the right one: --expect-head",
            ),
            _ if self.findings.iter().all(|finding| finding.severity != Severity::Damage) => (
                "the archive was found damaged earlier, and this verification does not clear that",
                "verify all of it: `kt-archive verify --level full`",
            ),
            _ if is_only_unnamed(self) => (
                "the archive is damaged: it holds files that no manifest names",
                "find out whose they are, and move them out of the archive",
            ),
            _ => (
                "the archive is damaged",
                "keep it as it is; a whole replica mends it: `kt-archive replicate --repair` with the replica as --archive",
            ),
        };
        Some(Failure { message: message.to_owned(), hint: hint.to_owned(), exit })
    }
}

impl VerifyReport {
    /// Whether nothing is known but heads that were named and not found.
    fn is_about_named_heads(&self) -> bool {
        let new = self.findings.iter().any(|finding| finding.severity == Severity::Damage);
        !new && self.earlier.iter().all(|damage| damage.named_head && damage.finding.code == Code::OldHead)
    }

    const fn has_earlier_damage(&self) -> bool {
        !self.earlier.is_empty() || self.unlisted.is_some()
    }
}

/// A paragraph for each earlier finding.
fn earlier(report: &VerifyReport, style: Style) -> String {
    let listed = report.earlier.iter().map(|RecordedDamage { finding, found_at, .. }| {
        let message = format!("found on {}: {}", date(*found_at), finding.message);
        paragraph(&Finding { message, ..finding.clone() }, style)
    });
    let more = report.unlisted.map_or("", |_| "more was found earlier than can be listed\n");
    listed.collect::<String>() + more
}

/// Returns whether the only findings are unnamed files, which a repair does not remove.
fn is_only_unnamed(report: &VerifyReport) -> bool {
    let mut damage = report.findings.iter().filter(|finding| finding.severity == Severity::Damage);
    damage.all(|finding| finding.code == Code::Unnamed)
}

/// A finding: its code, its path and its message on lines of their own, so that none of them is broken by the others.
pub(crate) fn paragraph(finding: &Finding, style: Style) -> String {
    let severity = match finding.severity {
        Severity::Damage => style.paint(Tone::Bad, "damage"),
        Severity::Warning => "warning".to_owned(),
    };
    let [path, message] = [&finding.path, &finding.message].map(|text| printable(text));
    let message = style.width().map_or_else(|| message.to_string(), |width| wrap(&message, width, 6, "      "));
    format!("{}  {severity}\n      {path}\n      {message}\n", finding.code.as_str())
}

/// How many findings there are; without any, whether that is `all` that is known.
pub(crate) fn findings(findings: &[Finding], all: bool) -> String {
    let number = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    match (number(Severity::Damage), number(Severity::Warning)) {
        (0, 0) if all => "no findings".to_owned(),
        (0, 0) => "no new findings".to_owned(),
        (0, warnings) => count(whole(warnings), "warning"),
        (damages, 0) => format!("{} of damage", count(whole(damages), "finding")),
        (damages, warnings) => {
            format!("{} of damage, {}", count(whole(damages), "finding"), count(whole(warnings), "warning"))
        }
    }
}

fn whole(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(findings: Vec<Finding>) -> VerifyReport {
        let bytes = 12_897_485;
        VerifyReport {
            level: Some(Level::Full),
            manifests: 3,
            files: 5,
            events: 30_000,
            bytes,
            findings,
            ..VerifyReport::default()
        }
    }

    fn finding(code: Code, severity: Severity) -> Finding {
        Finding { code, severity, path: "events/x".to_owned(), message: "other bytes".to_owned() }
    }

    #[test]
    fn intact_archive_is_one_line() {
        let expected = "verified 3 manifests, 5 files, 30,000 events, 12.3 MiB: no findings\n";
        assert_eq!(report(Vec::new()).text(Style::plain()), expected);
        assert_eq!(report(Vec::new()).failure(), None);
    }

    #[test]
    fn causes_come_before_consequences_and_damage_before_warnings() {
        let at = |code, severity, path: &str| Finding { path: path.to_owned(), ..finding(code, severity) };
        let file = "events/parquet/month=2025-03/part-00000-0123456789abcdef.parquet";
        let ordered = vec![
            at(Code::SequenceHole, Severity::Damage, "manifests/00000002.json"),
            at(Code::Balance, Severity::Damage, "manifests/00000001.json"),
            at(Code::Missing, Severity::Damage, file),
            at(Code::Unnamed, Severity::Damage, "events/csv/a"),
            at(Code::Unnamed, Severity::Damage, "events/csv/b"),
            at(Code::Unnamed, Severity::Warning, "a"),
        ];
        let mut found = ordered.clone();
        found.reverse();
        found.sort();
        assert_eq!(found, ordered);
    }

    #[test]
    fn lists_findings_before_their_counts() {
        let found = vec![finding(Code::Digest, Severity::Damage), finding(Code::Unnamed, Severity::Warning)];
        let expected = "\
V012  damage
      events/x
      other bytes
V015  warning
      events/x
      other bytes
verified 3 manifests, 5 files, 30,000 events, 12.3 MiB: 1 finding of damage, 1 warning
";
        assert_eq!(report(found.clone()).text(Style::plain()), expected);
        assert_eq!(report(found).failure().map(|failure| failure.exit), Some(ExitCode::Damaged));
    }

    #[test]
    fn known_damage_counts_like_new() {
        let finding = finding(Code::Digest, Severity::Damage);
        let damage = RecordedDamage {
            finding,
            found_at: "2025-04-10T03:00:00Z".parse().unwrap(),
            level: Level::Full,
            named_head: false,
        };
        let known = VerifyReport { earlier: vec![damage], ..report(Vec::new()) };
        assert_eq!(known.exit(), ExitCode::Damaged);
        assert!(known.failure().unwrap().hint.contains("--level full"));
        let text = known.text(Style::plain());
        assert!(text.starts_with("V012  damage\n      events/x\n      found on 2025-04-10: other bytes\n"), "{text}");
        let more = VerifyReport { unlisted: Some(Level::Full), ..report(Vec::new()) };
        assert_eq!(more.exit(), ExitCode::Damaged);
    }

    #[test]
    fn an_archive_without_months_proves_nothing() {
        let empty = VerifyReport { level: Some(Level::Full), ..VerifyReport::default() };
        assert_eq!(empty.exit(), ExitCode::Incomplete);
        assert!(empty.failure().unwrap().message.contains("nothing to verify"));
    }

    #[test]
    fn nothing_but_a_path_is_wider_than_the_terminal() {
        let path = "events/parquet/month=2025-03/part-00000-0123456789abcdef.parquet".to_owned();
        let message = "the sha256 is another one than that of the manifest: ".repeat(3);
        let found = Finding { path: path.clone(), message, ..finding(Code::Digest, Severity::Damage) };
        let text = report(vec![found]).text(Style::plain().with_width(Some(60)));
        assert!(text.lines().all(|line| line.trim_start() == path || line.chars().count() <= 60), "{text}");
    }

    #[test]
    fn does_not_advise_repair_for_unnamed_files() {
        let hint = |code| report(vec![finding(code, Severity::Damage)]).failure().map(|failure| failure.hint);
        assert!(hint(Code::Digest).unwrap().contains("--repair"));
        assert!(!hint(Code::Unnamed).unwrap().contains("--repair"));
    }
}
