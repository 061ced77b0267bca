//! Which of several servers will do.

use super::conninfo::refused;
use crate::Error;
use std::str::FromStr;

/// `target_session_attrs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl Target {
    /// What to look for, in this order, each among all hosts.
    pub(super) const fn passes(self) -> &'static [Self] {
        match self {
            Self::Any => &[Self::Any],
            Self::ReadWrite => &[Self::ReadWrite],
            Self::ReadOnly => &[Self::ReadOnly],
            Self::Primary => &[Self::Primary],
            Self::Standby => &[Self::Standby],
            Self::PreferStandby => &[Self::Standby, Self::Any],
        }
    }

    /// Whether a server will do that is a standby, or whose transactions are read-only unless they say otherwise.
    pub(super) const fn is_met(self, standby: bool, read_only: bool) -> bool {
        match self {
            Self::Any | Self::PreferStandby => true,
            Self::ReadWrite => !standby && !read_only,
            Self::ReadOnly => standby || read_only,
            Self::Primary => !standby,
            Self::Standby => standby,
        }
    }
}

impl FromStr for Target {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "any" => Self::Any,
            "read-write" => Self::ReadWrite,
            "read-only" => Self::ReadOnly,
            "primary" => Self::Primary,
            "standby" => Self::Standby,
            "prefer-standby" => Self::PreferStandby,
            _ => {
                return Err(refused("target_session_attrs is not known")
                    .with_hint("use any, read-write, read-only, primary, standby or prefer-standby"));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standby_is_preferred_but_not_demanded() {
        let passes = "prefer-standby".parse::<Target>().unwrap().passes();
        assert!(!passes[0].is_met(false, false) && passes[0].is_met(true, true));
        assert!(passes[1].is_met(false, false));
    }

    #[test]
    fn a_primary_may_be_read_only_and_is_then_not_to_write_on() {
        for (target, primary, frozen, standby) in [
            ("any", true, true, true),
            ("read-write", true, false, false),
            ("read-only", false, true, true),
            ("primary", true, true, false),
            ("standby", false, false, true),
        ] {
            let target = target.parse::<Target>().unwrap();
            let met = (target.is_met(false, false), target.is_met(false, true), target.is_met(true, true));
            assert_eq!(met, (primary, frozen, standby), "{target:?}");
        }
        assert!("leader".parse::<Target>().is_err());
    }
}
