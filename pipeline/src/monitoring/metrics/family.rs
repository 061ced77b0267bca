//! A metric, independent of the format that it is sent in.

use archive_formats::Timestamp;
use std::fmt;

/// A metric with its samples. All are gauges: the process ends, so no counter continues from one run to the next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Family {
    /// `kt_archive_…`, with the unit as Prometheus recommends.
    pub(crate) name: &'static str,
    /// One sentence.
    pub(crate) help: &'static str,
    /// One for each combination of labels; empty if nothing is known.
    pub(crate) samples: Vec<Sample>,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// Names and values; the first label is always `archive`.
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) value: Value,
}

/// The value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    /// A count.
    Count(u64),
    /// A measurement in the unit of the metric; times are seconds since 1970.
    Real(f64),
}

impl Sample {
    /// A sample of the whole archive.
    pub(super) fn new(archive: &str, value: impl Into<Value>) -> Self {
        Self { labels: vec![("archive", archive.to_owned())], value: value.into() }
    }

    /// Adds a label.
    pub(super) fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }
}

impl Value {
    /// Exact up to 2^53, above all counts of events and bytes here.
    #[expect(clippy::cast_precision_loss, reason = "Prometheus and OpenTelemetry keep gauges as f64")]
    #[cfg(feature = "otlp")]
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Real(real) => real,
        }
    }
}

/// Without an exponent; counts are exact.
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
