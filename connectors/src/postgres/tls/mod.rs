//! Whether nobody reads along, and whether the server is the one that was meant.

pub(super) mod handshake;
mod verify;

use super::conninfo::{Settings, refused};
use crate::{Error, Result, spool::on_blocking_thread};
use rustls::{
    ClientConfig, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};
use verify::{AnyCertificate, AnyName};

/// What a try does about TLS.
#[derive(Clone, Debug)]
pub(super) enum TlsOffer {
    /// Nothing.
    Plain,
    /// Has it where the server does.
    Preferred(Arc<ClientConfig>),
    /// Does not go on without it.
    Required(Arc<ClientConfig>),
}

/// What the settings of libpq say of TLS.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    /// None is the default, which depends on where the server is.
    mode: Option<SslMode>,
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
        if authorities == Some(Authorities::System) && mode.is_some_and(|mode| mode != SslMode::VerifyFull) {
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
    pub(super) async fn offers(&self, local: bool) -> Result<Vec<TlsOffer>> {
        let mode = self.mode(local);
        if mode == SslMode::Disable {
            return Ok(vec![TlsOffer::Plain]);
        }
        let tls = self.clone();
        let config = Arc::new(on_blocking_thread(move || tls.load(mode)).await?);
        Ok(match mode {
            SslMode::Disable => vec![TlsOffer::Plain],
            SslMode::Allow => vec![TlsOffer::Plain, TlsOffer::Required(config)],
            SslMode::Prefer => vec![TlsOffer::Preferred(config), TlsOffer::Plain],
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => vec![TlsOffer::Required(config)],
        })
    }

    /// Where nothing is asked for, only the way within this host is taken for safe.
    fn mode(&self, local: bool) -> SslMode {
        let system = self.authorities == Some(Authorities::System);
        self.mode.unwrap_or(if local && !system { SslMode::Prefer } else { SslMode::VerifyFull })
    }
}

/// How much is asked of TLS, from nothing to everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl FromStr for SslMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
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

impl Tls {
    /// What a handshake is made with.
    fn load(&self, mode: SslMode) -> Result<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let verifier = self.verifier(mode, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| refused("no version of TLS can be used").with_source(error))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let Some((certificate, key)) = self.identity()? else { return Ok(builder.with_no_client_auth()) };
        let (chain, secret) = (certificates(&certificate)?, private_key(&key)?);
        builder.with_client_auth_cert(chain, secret).map_err(|error| {
            let error = refused("the client's certificate and its key cannot be used").with_source(error);
            error.with_context("sslcert", certificate.display()).with_context("sslkey", key.display())
        })
    }

    /// As libpq does, a file with authorities is believed in every mode: it would not be there for nothing.
    fn verifier(&self, mode: SslMode, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
        let authorities = self.authorities.clone().or(self.usual("root.crt")?.map(Authorities::File));
        Ok(match (mode, authorities) {
            (SslMode::VerifyFull, authorities) => chain(&authorities.unwrap_or(Authorities::System), provider)?,
            (_, Some(authorities)) => Arc::new(AnyName(chain(&authorities, provider)?)),
            (SslMode::VerifyCa, None) => {
                return Err(refused("sslmode=verify-ca without a file that says whom to believe").with_hint(
                    "name the authority's certificate by sslrootcert or put it into ~/.postgresql/root.crt, or use \
                     sslmode=verify-full, which may believe everybody that this host does",
                ));
            }
            (_, None) => Arc::new(AnyCertificate(provider.signature_verification_algorithms)),
        })
    }

    /// The client's certificate and its key, if it has them.
    fn identity(&self) -> Result<Option<(PathBuf, PathBuf)>> {
        let named =
            |path: &Option<PathBuf>, usual| path.clone().map_or_else(|| self.usual(usual), |path| Ok(Some(path)));
        let Some(certificate) = named(&self.certificate, "postgresql.crt")? else { return Ok(None) };
        let key = named(&self.key, "postgresql.key")?.ok_or_else(|| {
            refused("there is a client's certificate, but no key").with_hint("name the key by sslkey")
        })?;
        Ok(Some((certificate, key)))
    }

    /// The file `name` of the user's own folder, if it is there.
    fn usual(&self, name: &str) -> Result<Option<PathBuf>> {
        let Some(path) = self.folder.as_ref().map(|folder| folder.join(name)) else { return Ok(None) };
        let there = path.try_exists().map_err(|error| unreadable(&path).with_source(error))?;
        Ok(there.then_some(path))
    }
}

fn chain(authorities: &Authorities, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
    let roots = match authorities {
        Authorities::System => system_roots(),
        Authorities::File(path) => roots(path)?,
    };
    let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    builder.build().map_err(|error| {
        refused("there is no authority that could vouch for the server")
            .with_source(error)
            .with_hint("install the host's certificates (ca-certificates), or name a file by sslrootcert")
    })
}

fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "an authority of this host cannot be read");
    }
    let mut roots = RootCertStore::empty();
    let (taken, left) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(taken, left, "authorities of this host");
    roots
}

fn roots(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        roots.add(certificate).map_err(|error| unreadable(path).with_source(error))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>);
    let found = found.map_err(|error| unreadable(path).with_source(error))?;
    if found.is_empty() { Err(unreadable(path).with_hint("the file holds no certificate in PEM")) } else { Ok(found) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let metadata = path.metadata().map_err(|error| unreadable(path).with_source(error))?;
    if !is_private(&metadata) {
        return Err(refused("others than its owner may read the client's key")
            .with_context("path", path.display())
            .with_hint("make it readable for its owner alone: chmod 600"));
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| {
        unreadable(path).with_source(error).with_hint("the file should hold one key in PEM that is not encrypted")
    })
}

/// Whether neither the group nor others may use a key. What belongs to root, its group may read: so keys are shared
/// among services.
fn is_private(metadata: &Metadata) -> bool {
    let foreign = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    metadata.mode() & foreign == 0
}

fn unreadable(path: &Path) -> Error {
    refused("could not read a certificate or a key").with_context("path", path.display())
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
        assert_eq!((mode("", false), mode("", true)), (SslMode::VerifyFull, SslMode::Prefer));
        assert_eq!(
            (mode("sslmode=require", false), mode("sslmode=verify-ca", true)),
            (SslMode::Require, SslMode::VerifyCa)
        );
        assert_eq!(mode("sslrootcert=system", true), SslMode::VerifyFull);
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
        assert!(matches!(disabled.unwrap().as_slice(), [TlsOffer::Plain]));
    }
}
