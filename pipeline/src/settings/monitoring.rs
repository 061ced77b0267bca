//! Recipients of run reports.

use super::invalid;
use crate::config::Config;
use archive_connectors::{Result, http};
use std::{fmt, path::PathBuf, time::Duration};
use url::Url;

/// Recipients of run reports. They do not affect a run.
#[derive(Clone, Debug, Default)]
pub struct MonitoringSettings {
    /// Textfile for Prometheus' node exporter.
    pub metrics_file: Option<PathBuf>,
    /// Webhooks and health checks.
    pub notify: Vec<Recipient>,
    /// Whether plain HTTP is allowed beyond loopback and private networks.
    pub allow_http: bool,
    /// How long the platform keeps events.
    pub platform_retention: Option<Duration>,
}

impl MonitoringSettings {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let addresses = config.notify.iter().flat_map(|list| &list.0);
        let platform_retention = config.platform_retention.map(|span| span.0);
        if platform_retention.is_some_and(|retention| retention < DAY) {
            return Err(invalid("--platform-retention is below a day")
                .with_hint("give the time that the platform keeps events, such as 365d"));
        }
        Ok(Self {
            metrics_file: config.metrics_file.clone(),
            notify: addresses.map(|address| Recipient::parse(address)).collect::<Result<_>>()?,
            allow_http: config.allow_http.is_some_and(|on| on.0),
            platform_retention,
        })
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// Prefix of a health check's address.
const HEALTH_CHECK: &str = "healthcheck+";

/// The address of a recipient. It is often the only credential, so everything except scheme and host is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Its protocol.
    pub kind: RecipientKind,
    /// `http://` or `https://`, without user and password.
    pub url: Url,
}

/// The protocol of a recipient, chosen by its scheme: the hosts look alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipientKind {
    /// JSON.
    Webhook,
    /// Pings as of healthchecks.io: the address for success, with `/start` or `/<exit code>` appended otherwise.
    HealthCheck,
}

impl Recipient {
    /// Parses `https://…` (a webhook) or `healthcheck+https://…`. The error never repeats the address.
    pub fn parse(address: &str) -> Result<Self> {
        let (kind, rest) = match address.strip_prefix(HEALTH_CHECK) {
            Some(rest) => (RecipientKind::HealthCheck, rest),
            None => (RecipientKind::Webhook, address),
        };
        let url = Url::parse(rest).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let url = url.filter(|url| url.username().is_empty() && url.password().is_none());
        url.map(|url| Self { kind, url }).ok_or_else(|| {
            invalid("an address of notify is neither https://… nor healthcheck+https://…, without user and password")
                .with_hint(
                    "https://hooks.example/kt-archive gets JSON, healthcheck+https://hc-ping.com/<uuid> pings; \
                     a comma inside an address is %2C",
                )
        })
    }

    /// Scheme and host.
    pub fn origin(&self) -> String {
        http::origin(&self.url)
    }

    /// Comma-separated addresses in a form safe to print.
    pub fn printable(addresses: &str) -> String {
        addresses.split(',').map(|address| Self::shown(address.trim())).collect::<Vec<_>>().join(",")
    }

    fn shown(address: &str) -> String {
        let Ok(Self { kind, url }) = Self::parse(address) else { return "[secret]".to_owned() };
        let prefix = if kind == RecipientKind::HealthCheck { HEALTH_CHECK } else { "" };
        let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        format!("{prefix}{}/{}", http::origin(&url), if is_bare { "" } else { "[secret]" })
    }
}

/// Prints scheme and host only.
impl fmt::Debug for Recipient {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} {}", self.kind, self.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::List;

    #[test]
    fn debug_hides_addresses() {
        let notify = Some(List(vec!["https://hooks.example/canary?key=canary".to_owned()]));
        let settings = MonitoringSettings::new(&Config { notify, ..Config::default() }).unwrap();
        let shown = format!("{settings:?}");
        assert!(shown.contains("https://hooks.example") && !shown.contains("canary"), "{shown}");
    }

    #[test]
    fn rejects_a_retention_of_less_than_a_day() {
        let settings = |text: &str| {
            MonitoringSettings::new(&Config { platform_retention: Some(text.parse().unwrap()), ..Config::default() })
        };
        assert!(settings("0d").is_err() && settings("365s").is_err() && settings("1d").is_ok());
    }

    #[test]
    fn scheme_selects_webhook_or_health_check() {
        let webhook = Recipient::parse("https://hooks.example/a").unwrap();
        let check = Recipient::parse("healthcheck+https://hooks.example/a").unwrap();
        assert_eq!((webhook.kind, check.kind), (RecipientKind::Webhook, RecipientKind::HealthCheck));
        assert_eq!(webhook.url, check.url);
    }

    #[test]
    fn rejects_invalid_addresses_without_repeating_them() {
        let wrong = [
            "ftp://hooks.example/canary",
            "ping+https://hooks.example/canary",
            "healthcheck+canary",
            "healthcheck+healthcheck+https://hooks.example/canary",
            "https://ada:canary@hooks.example/",
            "https://canary@hooks.example/",
            "hooks.example/canary",
            "canary",
            "",
        ];
        for address in wrong {
            let error = Recipient::parse(address).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
            assert!(error.hint().contains("healthcheck+https://"), "{error:?}");
            assert_eq!(Recipient::printable(address), "[secret]", "{address}");
        }
    }

    #[test]
    fn shows_only_scheme_and_host() {
        for address in ["https://hooks.example:8443/canary", "https://hooks.example:8443/?key=canary#canary"] {
            assert_eq!(Recipient::printable(address), "https://hooks.example:8443/[secret]");
            assert_eq!(format!("{:?}", Recipient::parse(address).unwrap()), "Webhook https://hooks.example:8443");
        }
        let check = Recipient::printable("healthcheck+https://hc.example/canary");
        assert_eq!(check, "healthcheck+https://hc.example/[secret]");
        assert_eq!(Recipient::printable("http://10.0.0.1:8080"), "http://10.0.0.1:8080/");
        let several = Recipient::printable("https://a.example/canary, https://b.example/canary");
        assert_eq!(several, "https://a.example/[secret],https://b.example/[secret]");
    }
}
