//! Values that are never printed.

use std::fmt;

/// A secret without `Display` and `Serialize`, whose `Debug` hides the value; `expose` returns it to this crate.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value`.
    pub const fn new(value: String) -> Self {
        Self(value)
    }

    /// The value, for the one header or option that needs it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// `text` with every occurrence of the secret replaced: a server may echo a request.
    pub(crate) fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, "[secret]") }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_and_redact_hide_the_value() {
        let secret = Secret::new("kt_live_canary".to_owned());
        assert_eq!(format!("{secret:?}"), "[secret]");
        assert_eq!(secret.redact("bad token kt_live_canary!"), "bad token [secret]!");
    }
}
