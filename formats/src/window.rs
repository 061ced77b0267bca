//! Half-open intervals of time.

use crate::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use std::{fmt, time::Duration};

/// The instants from `from` up to, but without, `to`. Never empty. Windows that share an edge share no instant, which
/// is why an event on the edge of two months belongs to exactly one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Window {
    from: Timestamp,
    to: Timestamp,
}

/// A window that would hold no instant.
#[derive(Debug, thiserror::Error)]
#[error("a window from {from} to {to} holds no instant")]
pub struct EmptyWindow {
    from: Timestamp,
    to: Timestamp,
}

impl Window {
    /// The window `[from, to)`.
    pub fn new(from: Timestamp, to: Timestamp) -> Result<Self, EmptyWindow> {
        if from < to { Ok(Self { from, to }) } else { Err(EmptyWindow { from, to }) }
    }

    /// First instant inside.
    pub const fn from(&self) -> Timestamp {
        self.from
    }

    /// First instant after the window.
    pub const fn to(&self) -> Timestamp {
        self.to
    }

    /// Whether `at` lies inside.
    pub fn contains(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    /// The window with `margin` more on both sides.
    #[must_use]
    pub fn widen(&self, margin: Duration) -> Self {
        Self { from: self.from.minus(margin), to: self.to.plus(margin) }
    }

    /// How long the window is.
    pub const fn length(&self) -> Duration {
        self.from.distance(self.to)
    }

    /// The window cut at `at`, if `at` lies strictly inside.
    pub fn split_at(&self, at: Timestamp) -> Option<(Self, Self)> {
        (self.from < at && at < self.to).then_some((Self { from: self.from, to: at }, Self { from: at, to: self.to }))
    }
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}, {})", self.from, self.to)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Edges {
            from: Timestamp,
            to: Timestamp,
        }
        let Edges { from, to } = Edges::deserialize(deserializer)?;
        Self::new(from, to).map_err(D::Error::custom)
    }
}
