//! Whether nobody reads along, and whether the server is the one that was meant.

mod handshake;
mod material;
mod mode;
mod verify;

pub(super) use handshake::{refusal, secure};

use super::conninfo::{Settings, refused};
use crate::{Result, spool::on_blocking_thread};
use mode::Mode;
use rustls::ClientConfig;
use std::{path::PathBuf, sync::Arc};

/// What a try does about TLS.
#[derive(Clone, Debug)]
pub(super) enum Offer {
    /// Nothing.
    Plain,
    /// Has it where the server does.
    Wanted(Arc<ClientConfig>),
    /// Does not go on without it.
    Needed(Arc<ClientConfig>),
}

/// What the settings of libpq say of TLS.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    /// None is the default, which depends on where the server is.
    mode: Option<Mode>,
    /// None is the default: the user's own file where there is one.
    authorities: Option<Authorities>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    /// Where files are that nothing names: `~/.postgresql`.
    folder: Option<PathBuf>,
}

/// Who may vouch for a server.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Authorities {
    /// Those that this host trusts.
    System,
    /// Those in a file.
    File(PathBuf),
}

impl Tls {
    /// What `settings` say, for a user whose folder is `home`.
    pub(super) fn new(settings: &Settings, home: Option<PathBuf>) -> Result<Self> {
        let path = |keyword| settings.get(keyword).map(PathBuf::from);
        let mode = settings.get("sslmode").map(str::parse).transpose()?;
        let authorities = match settings.get("sslrootcert") {
            Some("system") => Some(Authorities::System),
            _ => path("sslrootcert").map(Authorities::File),
        };
        if authorities == Some(Authorities::System) && mode.is_some_and(|mode| mode != Mode::VerifyFull) {
            return Err(refused("sslrootcert=system goes with sslmode=verify-full alone").with_hint(
                "anybody can have a certificate of an authority that this host trusts: only the name tells servers apart",
            ));
        }
        match settings.get("channel_binding") {
            None | Some("disable" | "prefer") => {}
            Some("require") => {
                return Err(refused("channel_binding=require is not supported")
                    .with_hint("use sslmode=verify-full, which tells servers apart by their certificates"));
            }
            Some(_) => return Err(refused("channel_binding is neither disable, prefer nor require")),
        }
        let folder = home.map(|home| home.join(".postgresql"));
        Ok(Self { mode, authorities, certificate: path("sslcert"), key: path("sslkey"), folder })
    }

    /// What is tried, in this order, with a server that is on this host or elsewhere. Reads files, at each connection:
    /// certificates are renewed during long runs.
    pub(super) async fn offers(&self, local: bool) -> Result<Vec<Offer>> {
        let mode = self.mode(local);
        if mode == Mode::Disable {
            return Ok(vec![Offer::Plain]);
        }
        let tls = self.clone();
        let config = Arc::new(on_blocking_thread(move || tls.load(mode)).await?);
        Ok(match mode {
            Mode::Disable => vec![Offer::Plain],
            Mode::Allow => vec![Offer::Plain, Offer::Needed(config)],
            Mode::Prefer => vec![Offer::Wanted(config), Offer::Plain],
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => vec![Offer::Needed(config)],
        })
    }

    /// Where nothing is asked for, only the way within this host is taken for safe.
    fn mode(&self, local: bool) -> Mode {
        let system = self.authorities == Some(Authorities::System);
        self.mode.unwrap_or(if local && !system { Mode::Prefer } else { Mode::VerifyFull })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn tls(parameters: &str) -> Result<Tls> {
        Tls::new(&Settings::new(&format!("postgres://db?{parameters}"), &|_| None).unwrap(), None)
    }

    #[test]
    fn off_this_host_a_server_must_prove_its_name_unless_less_is_asked_for() {
        let mode = |parameters, local| tls(parameters).unwrap().mode(local);
        assert_eq!((mode("", false), mode("", true)), (Mode::VerifyFull, Mode::Prefer));
        assert_eq!((mode("sslmode=require", false), mode("sslmode=verify-ca", true)), (Mode::Require, Mode::VerifyCa));
        assert_eq!(mode("sslrootcert=system", true), Mode::VerifyFull);
    }

    #[test]
    fn what_would_promise_more_than_it_holds_is_refused() {
        let parameters =
            ["sslmode=require&sslrootcert=system", "channel_binding=require", "sslmode=full", "channel_binding=x"];
        for parameters in parameters {
            assert_eq!(tls(parameters).unwrap_err().kind(), ErrorKind::Configuration, "{parameters}");
        }
        assert!(tls("channel_binding=prefer&sslmode=verify-full&sslrootcert=system").is_ok());
    }

    #[tokio::test]
    async fn files_that_were_named_must_be_there() {
        for parameters in ["sslrootcert=/nowhere", "sslcert=/nowhere", "sslcert=/nowhere&sslkey=/nowhere"] {
            let error = tls(parameters).unwrap().offers(true).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{parameters}");
        }
        let disabled = tls("sslmode=disable&sslrootcert=/nowhere").unwrap().offers(false).await;
        assert!(matches!(disabled.unwrap().as_slice(), [Offer::Plain]));
    }
}
