//! What a metric is, whoever it is told to.

use archive_formats::Timestamp;
use std::fmt;

/// Every value of one metric. All are gauges: the program ends, so that nothing it counts goes on from one run to the
/// next.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// The name, unit and all, as Prometheus wants it: `kt_archive_…`.
    pub name: &'static str,
    /// What it says, in one sentence.
    pub help: &'static str,
    /// One for each combination of labels; none when nothing is known.
    pub samples: Vec<Sample>,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// What it is the value of. The first label of each is the archive.
    pub labels: Vec<(&'static str, String)>,
    /// How much it is.
    pub value: Value,
}

/// How much something is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// Something counted.
    Count(u64),
    /// Something measured; instants are seconds since 1970.
    Real(f64),
}

impl Sample {
    /// Of the archive as a whole.
    pub(super) fn of(archive: &str, value: impl Into<Value>) -> Self {
        Self { labels: vec![("archive", archive.to_owned())], value: value.into() }
    }

    /// The same of a part of it.
    pub(super) fn with(mut self, label: &'static str, part: impl Into<String>) -> Self {
        self.labels.push((label, part.into()));
        self
    }
}

impl Value {
    /// The number as collectors keep it: exact up to 2^53, which no count of events or bytes here exceeds.
    #[expect(clippy::cast_precision_loss, reason = "Prometheus and OpenTelemetry keep gauges as f64")]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Real(real) => real,
        }
    }
}

/// Without an exponent, and counts to their last digit.
impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(formatter),
            Self::Real(real) => real.fmt(formatter),
        }
    }
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<Timestamp> for Value {
    fn from(at: Timestamp) -> Self {
        let seconds = at.distance(Timestamp::from_micros(0)).as_secs_f64();
        Self::Real(if at.as_micros() < 0 { -seconds } else { seconds })
    }
}
