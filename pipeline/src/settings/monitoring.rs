//! Who is told how runs went.

use super::{Recipient, invalid};
use crate::config::Config;
use archive_connectors::Result;
use std::{path::PathBuf, time::Duration};

/// Who is told how runs went. Nothing here changes what a run does.
#[derive(Clone, Debug, Default)]
pub struct MonitoringSettings {
    /// The textfile for Prometheus' node exporter.
    pub metrics_file: Option<PathBuf>,
    /// Webhooks and health checks.
    pub notify: Vec<Recipient>,
    /// Whether they may be told over plain HTTP beyond loopback and private networks.
    pub allow_http: bool,
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
            notify: addresses.map(|address| Recipient::parse(address)).collect::<Result<_>>()?,
            allow_http: config.allow_http.is_some_and(|on| on.0),
            platform_retention,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::List;

    #[test]
    fn addresses_are_not_shown() {
        let notify = Some(List(vec!["https://hooks.example/canary?key=canary".to_owned()]));
        let settings = MonitoringSettings::new(&Config { notify, ..Config::default() }).unwrap();
        let shown = format!("{settings:?}");
        assert!(shown.contains("https://hooks.example") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn a_platform_that_keeps_nothing_is_a_mistake() {
        let config = Config { platform_retention: Some("0d".parse().unwrap()), ..Config::default() };
        assert!(MonitoringSettings::new(&config).is_err());
    }
}
