//! What stays on record of verifications, without I/O.
//!
//! Damage that was found stays on record until a verification of the same objects, at the same place and at least as
//! thorough, does not find it again: a look at names and sizes does not clear a wrong digest, and neither does that of
//! another month.

use super::{Code, Finding, Level, Severity, VerifyReport, VerifyRequest};
use archive_connectors::{Error, ErrorKind, Result};
use archive_formats::{
    Chain, Head, Month, Timestamp,
    key::{self, ObjectName},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Maximum recorded findings: many unknown files must not make a record unbounded.
const MAX_FINDINGS: usize = 200;

/// Maximum damage that is listed one by one.
const MAX_RECORDED: usize = 5_000;

/// A finished verification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verification {
    /// When it ended.
    pub finished_at: Timestamp,
    /// How thoroughly it verified.
    pub level: Level,
    /// The months whose files were read; `None` for all.
    pub range: Option<(Month, Month)>,
    /// The last manifest at that time.
    pub head: Option<Head>,
    /// Manifests that were read.
    pub manifests: u64,
    /// Data files that were checked.
    pub files: u64,
    /// Events in them.
    pub events: u64,
    /// Their size.
    pub bytes: u64,
    /// Number of findings of damage.
    pub damage: u64,
    /// Number of warnings.
    pub warnings: u64,
    /// The first findings, damage before warnings.
    pub findings: Vec<Finding>,
    /// Whether the chain was searched for a head: that of an earlier verification, or one that was named.
    #[serde(default)]
    pub expected_head: bool,
    /// Whether the head was named.
    #[serde(default)]
    pub named_head: bool,
}

/// The recorded verifications of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verifications {
    /// The last one.
    pub last: Option<Verification>,
    /// The last one that read every byte of every month.
    pub whole: Option<Verification>,
    /// Damage that no later verification has cleared, ordered by path.
    #[serde(default)]
    pub recorded: Vec<RecordedDamage>,
    /// How thoroughly more damage was found than can be listed; `None` if all is listed.
    #[serde(default)]
    pub unlisted: Option<Level>,
    /// The head that the chain must contain: that of the last verification that found no head missing.
    #[serde(default)]
    pub head: Option<Head>,
}

/// Damage on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedDamage {
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
    /// When it was found first.
    pub found_at: Timestamp,
    /// How thorough the verification was that found it.
    pub level: Level,
    /// Whether the verification was given a head. What it did not find, no other verification looks for.
    #[serde(default)]
    pub named_head: bool,
}

impl Verification {
    /// Creates the record of `report`.
    pub fn new(request: &VerifyRequest, report: &VerifyReport, finished_at: Timestamp) -> Self {
        let VerifyReport { head, manifests, files, events, bytes, .. } = *report;
        let count = |severity| report.findings.iter().filter(|found| found.severity == severity).count() as u64;
        let mut findings = report.findings.clone();
        findings.sort();
        findings.truncate(MAX_FINDINGS);
        let (damage, warnings) = (count(Severity::Damage), count(Severity::Warning));
        Self {
            expected_head: request.expect_head.is_some() || request.recorded_head.is_some(),
            named_head: request.expect_head.is_some(),
            finished_at,
            level: request.level,
            range: request.range,
            head,
            manifests,
            files,
            events,
            bytes,
            damage,
            warnings,
            findings,
        }
    }

    const fn is_whole(&self) -> bool {
        matches!(self.level, Level::Full) && self.range.is_none()
    }

    /// Whether it would have found the damage again.
    fn covers(&self, damage: &RecordedDamage) -> bool {
        let is_in_range = |month| self.range.is_none_or(|(first, last)| (first..=last).contains(&month));
        // The chain is always verified as a whole.
        let is_read = month_of(&damage.finding.path).is_none_or(is_in_range);
        let is_compared = match damage.finding.code {
            Code::OldHead if damage.named_head => self.named_head,
            Code::OldHead => self.expected_head,
            _ => true,
        };
        // Every verification looks for files that no manifest names.
        let is_thorough = self.level >= damage.level || damage.finding.code == Code::Unnamed;
        is_thorough && is_read && is_compared
    }
}

impl Verifications {
    /// Whether damage is known, of whichever object.
    pub const fn is_damaged(&self) -> bool {
        !self.recorded.is_empty() || self.unlisted.is_some()
    }

    /// Refuses to go on with a chain that is known to be damaged, or that lost the head of the last verification: what is
    /// consistent again may be a part of what was committed.
    pub fn check_chain(&self, chain: &Chain) -> Result<()> {
        let lost =
            self.head.filter(|head| chain.commits_after(*head).is_none()).map(|head| key::manifest(head.sequence));
        let damaged = self.recorded.iter().find(|damage| damage.is_of_chain());
        let Some(path) = lost.or_else(|| damaged.map(|damage| damage.finding.path.clone())) else { return Ok(()) };
        let error = Error::new(ErrorKind::BrokenChain, "the chain of the archive is known to be damaged");
        Err(error.with_context("path", path).with_hint(
            "nothing was committed; put it right from a replica and verify; if the archive was put back to an earlier state \
             on purpose, `kt-archive verify --expect-head` with its head",
        ))
    }
}

/// The month of an object's events; `None` for manifests.
fn month_of(path: &str) -> Option<Month> {
    match ObjectName::parse(path) {
        ObjectName::Data { month, .. } => Some(month),
        ObjectName::Archive | ObjectName::Manifest(_) | ObjectName::Sums(_) | ObjectName::Other => None,
    }
}

impl Verifications {
    /// Adds a verification that found `damage`.
    pub(super) fn with(self, verification: Verification, damage: &[Finding]) -> Self {
        let Self { whole, recorded, unlisted, head, .. } = self;
        let known = recorded.into_iter().map(|known| (known.identity(), known)).collect::<BTreeMap<_, _>>();
        let mut found = known.clone();
        found.retain(|_, known| !verification.covers(known));
        for finding in damage {
            let new = RecordedDamage {
                finding: finding.clone(),
                found_at: verification.finished_at,
                level: verification.level,
                named_head: verification.named_head,
            };
            let first = known.get(&new.identity());
            let found_at = first.map_or(new.found_at, |first| first.found_at);
            let level = first.map_or(new.level, |first| first.level.max(new.level));
            let named_head = new.named_head || first.is_some_and(|first| first.named_head);
            found.insert(new.identity(), RecordedDamage { found_at, level, named_head, ..new });
        }
        let mut recorded = found.into_values().collect::<Vec<_>>();
        let is_cleared = |level| verification.level >= level && verification.range.is_none();
        let still = unlisted.filter(|level| !is_cleared(*level));
        let more = recorded.iter().skip(MAX_RECORDED).map(|damage| damage.level).max();
        recorded.truncate(MAX_RECORDED);
        // A chain that lost its end does not become the one that later verifications expect.
        let is_head_missing = recorded.iter().any(|damage| damage.finding.code == Code::OldHead);
        let head = if is_head_missing { head } else { verification.head };
        let whole = if verification.is_whole() { Some(verification.clone()) } else { whole };
        Self { last: Some(verification), whole, recorded, unlisted: still.max(more), head }
    }
}

impl RecordedDamage {
    /// Whether the chain itself is damaged, so that no commit may go on with it.
    fn is_of_chain(&self) -> bool {
        matches!(self.finding.code, Code::ChainBroken | Code::SequenceHole | Code::OldHead | Code::ForeignManifest)
    }

    fn identity(&self) -> (String, Code) {
        (self.finding.path.clone(), self.finding.code)
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    pub(crate) fn verification(level: Level, range: Option<(Month, Month)>, findings: Vec<Finding>) -> Verification {
        let report = VerifyReport {
            level: Some(level),
            head: None,
            manifests: 3,
            files: 6,
            events: 120,
            bytes: 9_000,
            findings,
            ..VerifyReport::default()
        };
        let request = VerifyRequest { range, level, ..VerifyRequest::default() };
        Verification::new(&request, &report, "2025-04-10T03:00:00Z".parse().unwrap())
    }

    pub(crate) fn finding(severity: Severity) -> Finding {
        Finding { code: Code::Unnamed, severity, path: "events/<x>".to_owned(), message: "unnamed".to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        testing::{finding, verification},
        *,
    };
    use archive_formats::Sha256;

    const ARCHIVE: &str = "0f8fad5b-d9cb-469f-a165-70867728950e";

    fn add(known: &mut Verifications, verification: Verification, damage: &[Finding]) -> Verifications {
        *known = known.clone().with(verification, damage);
        known.clone()
    }

    #[test]
    fn damage_is_kept_until_a_verification_as_thorough_of_the_same_objects() {
        let mut known = Verifications::default();
        let [march, april] = ["2025-03", "2025-04"].map(|month| month.parse::<Month>().unwrap());
        let damage = |path: &str, code| Finding { code, path: path.to_owned(), ..finding(Severity::Damage) };
        let file = damage("events/parquet/month=2025-03/part", Code::Digest);
        let chain = damage("manifests/00000002.json", Code::ChainBroken);
        let mut left = |level, range, found: &[Finding]| {
            let added = add(&mut known, verification(level, range, found.to_vec()), found);
            added.recorded.into_iter().map(|damage| damage.finding).collect::<Vec<_>>()
        };
        let both = [file.clone(), chain.clone()];
        assert_eq!(left(Level::Full, None, &both), both);
        assert_eq!(left(Level::Quick, None, &[]), both, "a quick look reads no bytes");
        assert_eq!(left(Level::Full, Some((april, april)), &[]), both[..1], "the chain is always read");
        assert_eq!(left(Level::Full, Some((march, april)), &[]), []);
        // What a quick verification found, a quick one clears.
        let missing = [damage("events/parquet/month=2025-04/part", Code::Missing)];
        assert_eq!(left(Level::Quick, None, &missing), missing);
        assert_eq!(left(Level::Quick, Some((march, march)), &[]), missing);
        assert_eq!(left(Level::Quick, Some((april, april)), &[]), []);
        let old_head = [damage("manifests/00000009.json", Code::OldHead)];
        assert_eq!(left(Level::Full, None, &old_head), old_head);
        assert_eq!(left(Level::Full, None, &[]), old_head, "the head was not compared");
        assert!(known.is_damaged());
        let compared = Verification { expected_head: true, ..verification(Level::Quick, None, Vec::new()) };
        assert!(add(&mut known, compared, &[]).is_damaged(), "it was found by a full verification");
        let compared = Verification { expected_head: true, ..verification(Level::Full, None, Vec::new()) };
        assert!(!add(&mut known, compared, &[]).is_damaged());
    }

    #[test]
    fn a_head_that_was_named_and_not_found_is_cleared_by_a_named_one_alone() {
        let mut known = Verifications::default();
        let at = |sequence| Some(Head { sequence, sha256: Sha256::digest(b"manifest") });
        let plain = Verification { head: at(5), expected_head: true, ..verification(Level::Full, None, Vec::new()) };
        let named = Verification { named_head: true, ..plain.clone() };
        let missing = [Finding { code: Code::OldHead, ..finding(Severity::Damage) }];
        assert_eq!(add(&mut known, named.clone(), &missing).head, None);
        for _ in 0..3 {
            let added = add(&mut known, plain.clone(), &[]);
            assert!(added.is_damaged() && added.head.is_none());
        }
        assert!(known.check_chain(&Chain::new(ARCHIVE.to_owned())).is_err());
        add(&mut known, named, &[]);
        assert!(!known.is_damaged() && known.head == at(5));
        assert!(known.check_chain(&Chain::new(ARCHIVE.to_owned())).is_err(), "the head is not in the chain");
    }

    #[test]
    fn the_head_stays_on_record_while_it_is_missing() {
        let mut known = Verifications::default();
        let at = |sequence| Some(Head { sequence, sha256: Sha256::digest(b"manifest") });
        let with = |sequence| Verification { head: at(sequence), ..verification(Level::Quick, None, Vec::new()) };
        assert_eq!(add(&mut known, with(7), &[]).head, at(7));
        let missing = Finding { code: Code::OldHead, ..finding(Severity::Damage) };
        assert_eq!(add(&mut known, with(5), &[missing]).head, at(7));
        // The head of another chain is no substitute; that of one which has the missing head again is.
        assert_eq!(add(&mut known, with(8), &[]).head, at(7));
        let found = Verification { expected_head: true, ..with(8) };
        assert_eq!(add(&mut known, found, &[]).head, at(8));
    }

    #[test]
    fn damage_keeps_the_time_when_it_was_found_first() {
        let mut known = Verifications::default();
        let found = [finding(Severity::Damage)];
        let first = verification(Level::Full, None, found.to_vec());
        let later = Verification { finished_at: "2025-05-10T03:00:00Z".parse().unwrap(), ..first.clone() };
        add(&mut known, first.clone(), &found);
        let recorded = add(&mut known, later, &found).recorded;
        assert_eq!(recorded.iter().map(|damage| damage.found_at).collect::<Vec<_>>(), [first.finished_at]);
    }

    #[test]
    fn more_damage_than_can_be_listed_is_kept_until_all_is_verified() {
        let mut known = Verifications::default();
        let found =
            (0..=MAX_RECORDED).map(|number| Finding { path: format!("{number:05}"), ..finding(Severity::Damage) });
        let found = found.collect::<Vec<_>>();
        let added = add(&mut known, verification(Level::Full, None, found.clone()), &found);
        assert_eq!((added.recorded.len(), added.unlisted), (MAX_RECORDED, Some(Level::Full)));
        let march = "2025-03".parse().unwrap();
        let added = add(&mut known, verification(Level::Full, Some((march, march)), Vec::new()), &[]);
        assert!(added.is_damaged() && added.unlisted == Some(Level::Full));
        assert!(!add(&mut known, verification(Level::Full, None, Vec::new()), &[]).is_damaged());
    }

    #[test]
    fn counts_all_findings_and_keeps_the_first_damage_first() {
        let mut findings = vec![finding(Severity::Warning); 300];
        findings.push(finding(Severity::Damage));
        let verification = verification(Level::Full, None, findings);
        assert_eq!((verification.damage, verification.warnings, verification.findings.len()), (1, 300, MAX_FINDINGS));
        assert_eq!(verification.findings[0].severity, Severity::Damage);
    }
}
