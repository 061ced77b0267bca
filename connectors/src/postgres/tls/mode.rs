//! `sslmode`.

use super::refused;
use crate::Error;
use std::str::FromStr;

/// How much is asked of TLS, from nothing to everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => {
                return Err(refused("sslmode is not known")
                    .with_hint("use disable, allow, prefer, require, verify-ca or verify-full"));
            }
        })
    }
}
