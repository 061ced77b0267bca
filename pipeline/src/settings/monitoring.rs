//! Who is told how runs went.

use super::invalid;
use crate::config::Config;
use archive_connectors::Result;
use std::{fmt, path::PathBuf, time::Duration};
use url::Url;

/// Who is told how runs went. Nothing here changes what a run does.
#[derive(Clone, Default)]
pub struct MonitoringSettings {
    /// The textfile for Prometheus' node exporter.
    pub metrics_file: Option<PathBuf>,
    /// Webhooks and health checks, `http://` or `https://`, without user and password. Whoever knows such an address can
    /// often use it, so that all of it but scheme and host is a secret.
    pub notify: Vec<Url>,
    /// How long the platform keeps events.
    pub platform_retention: Option<Duration>,
}

impl MonitoringSettings {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let addresses = config.notify.iter().flat_map(|list| &list.0);
        let platform_retention = config.platform_retention.map(|span| span.0);
        if platform_retention.is_some_and(|retention| retention.is_zero()) {
            return Err(invalid("a platform that keeps events for no time has none to archive")
                .with_hint("say how long it keeps them, such as --platform-retention 365d"));
        }
        Ok(Self {
            metrics_file: config.metrics_file.clone(),
            notify: addresses.map(|address| notified(address)).collect::<Result<_>>()?,
            platform_retention,
        })
    }
}

/// An address that is told. The message never holds it.
fn notified(address: &str) -> Result<Url> {
    let url = Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.filter(|url| url.username().is_empty() && url.password().is_none()).ok_or_else(|| {
        invalid("an address of notify is not http://… or https://… without user and password")
            .with_hint("a webhook or a health check such as https://hooks.example/kt-archive")
    })
}

/// Scheme and host of addresses.
impl fmt::Debug for MonitoringSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metrics_file, notify, platform_retention } = self;
        let notify = notify.iter().map(|url| url.origin().ascii_serialization()).collect::<Vec<_>>();
        let mut shown = formatter.debug_struct("MonitoringSettings");
        shown.field("metrics_file", metrics_file).field("notify", &notify);
        shown.field("platform_retention", platform_retention).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::List;

    fn with(address: &str) -> Result<MonitoringSettings> {
        MonitoringSettings::new(&Config { notify: Some(List(vec![address.to_owned()])), ..Config::default() })
    }

    #[test]
    fn addresses_are_neither_shown_nor_told() {
        let settings = with("https://hooks.example/canary?key=canary").unwrap();
        assert!(format!("{settings:?}").contains("https://hooks.example"));
        assert!(!format!("{settings:?}").contains("canary"));
        for address in ["ftp://hooks.example/canary", "https://ada:canary@hooks.example/", "canary"] {
            let error = with(address).unwrap_err();
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_platform_that_keeps_nothing_is_a_mistake() {
        let config = Config { platform_retention: Some("0d".parse().unwrap()), ..Config::default() };
        assert!(MonitoringSettings::new(&config).is_err());
    }
}
