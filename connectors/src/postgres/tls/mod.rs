//! TLS modes and server verification, as libpq defines them.

pub(super) mod handshake;
mod verify;

use super::{conninfo::Settings, failure::configuration};
use crate::{Error, Result, secret::read_secret_file, spool::on_blocking_thread};
use rustls::{
    ClientConfig, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use std::{
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};
use verify::{AnyCertificate, AnyName};

/// The use of TLS in one connection attempt.
#[derive(Clone, Debug)]
pub(super) enum TlsOffer {
    /// No TLS.
    Plain,
    /// TLS if the server supports it.
    Preferred(Arc<ClientConfig>),
    /// TLS, or no connection.
    Required(Arc<ClientConfig>),
}

/// The TLS settings of a connection string.
#[derive(Clone, Debug)]
pub(super) struct Tls {
    /// `None` means the default, which depends on whether the server is on this host.
    mode: Option<SslMode>,
    /// `None` means the user's own file, if there is one.
    authorities: Option<Authorities>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    /// The directory of default files, `~/.postgresql`.
    folder: Option<PathBuf>,
}

/// The authorities that the server's certificate may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Authorities {
    /// Those of this host.
    System,
    /// Those in a file.
    File(PathBuf),
}

impl Tls {
    /// The TLS settings in `settings`, for a user with this home directory.
    pub(super) fn new(settings: &Settings, home: Option<PathBuf>) -> Result<Self> {
        let path = |keyword| settings.get(keyword).map(PathBuf::from);
        let mode = settings.get("sslmode").map(str::parse).transpose()?;
        let authorities = match settings.get("sslrootcert") {
            Some("system") => Some(Authorities::System),
            _ => path("sslrootcert").map(Authorities::File),
        };
        if authorities == Some(Authorities::System) && mode.is_some_and(|mode| mode != SslMode::VerifyFull) {
            return Err(configuration("sslrootcert=system needs sslmode=verify-full")
                .with_hint("any server can have a certificate of a public authority: only its name identifies it"));
        }
        match settings.get("channel_binding") {
            None | Some("disable" | "prefer") => {}
            Some("require") => {
                return Err(configuration("channel_binding=require is not supported")
                    .with_hint("use sslmode=verify-full, which identifies servers by their certificates"));
            }
            Some(_) => return Err(configuration("channel_binding is neither disable, prefer nor require")),
        }
        let folder = home.map(|home| home.join(".postgresql"));
        Ok(Self { mode, authorities, certificate: path("sslcert"), key: path("sslkey"), folder })
    }

    /// The uses of TLS to try in order, with a server on this host if `local`. Reads files at each connection, since
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

    /// These settings as variables of libpq, for a server on this host if `local`.
    pub(super) fn variables(&self, local: bool) -> Result<Vec<(&'static str, PathBuf)>> {
        let mode = self.mode(local);
        let mut variables = vec![("PGSSLMODE", mode.as_str().into())];
        if mode == SslMode::Disable {
            return Ok(variables);
        }
        let authorities = self.authorities.clone().or(self.default_file("root.crt")?.map(Authorities::File));
        match authorities {
            Some(Authorities::File(path)) => variables.push(("PGSSLROOTCERT", path)),
            None if mode != SslMode::VerifyFull => {}
            // libpq knows the authorities of the host since version 16 alone.
            None | Some(Authorities::System) => variables.push(("PGSSLROOTCERT", system_bundle())),
        }
        if let Some((certificate, key)) = self.identity()? {
            variables.extend([("PGSSLCERT", certificate), ("PGSSLKEY", key)]);
        }
        Ok(variables)
    }

    /// The mode, or its default: only connections within this host may be unverified.
    fn mode(&self, local: bool) -> SslMode {
        let system = self.authorities == Some(Authorities::System);
        self.mode.unwrap_or(if local && !system { SslMode::Prefer } else { SslMode::VerifyFull })
    }
}

/// `sslmode`, from weakest to strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
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
                return Err(configuration("sslmode has an unknown value")
                    .with_hint("use disable, allow, prefer, require, verify-ca or verify-full"));
            }
        })
    }
}

impl Tls {
    /// Loads certificates and keys for a handshake.
    fn load(&self, mode: SslMode) -> Result<ClientConfig> {
        let provider = Arc::new(ring::default_provider());
        let verifier = self.verifier(mode, &provider)?;
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| configuration("no version of TLS can be used").with_source(error))?;
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let Some((certificate, key)) = self.identity()? else { return Ok(builder.with_no_client_auth()) };
        let (chain, secret) = (certificates(&certificate)?, private_key(&key)?);
        builder.with_client_auth_cert(chain, secret).map_err(|error| {
            let error = configuration("the client's certificate and its key cannot be used").with_source(error);
            error.with_context("sslcert", certificate.display()).with_context("sslkey", key.display())
        })
    }

    /// As in libpq, a file with authorities is used in every mode.
    fn verifier(&self, mode: SslMode, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
        let authorities = self.authorities.clone().or(self.default_file("root.crt")?.map(Authorities::File));
        Ok(match (mode, authorities) {
            (SslMode::VerifyFull, authorities) => chain(&authorities.unwrap_or(Authorities::System), provider)?,
            (_, Some(authorities)) => Arc::new(AnyName(chain(&authorities, provider)?)),
            (SslMode::VerifyCa, None) => {
                return Err(configuration("sslmode=verify-ca without a file of authorities").with_hint(
                    "set sslrootcert to the authority's certificate or put it into ~/.postgresql/root.crt, or use \
                     sslmode=verify-full, which may use the authorities of this host",
                ));
            }
            (_, None) => Arc::new(AnyCertificate(provider.signature_verification_algorithms)),
        })
    }

    /// The files of the client's certificate and key.
    fn identity(&self) -> Result<Option<(PathBuf, PathBuf)>> {
        let named = |path: &Option<PathBuf>, default| {
            path.clone().map_or_else(|| self.default_file(default), |path| Ok(Some(path)))
        };
        let Some(certificate) = named(&self.certificate, "postgresql.crt")? else { return Ok(None) };
        let key = named(&self.key, "postgresql.key")?.ok_or_else(|| {
            configuration("there is a client certificate, but no key").with_hint("set sslkey to its key")
        })?;
        Ok(Some((certificate, key)))
    }

    /// The default file `name`, if it exists.
    fn default_file(&self, name: &str) -> Result<Option<PathBuf>> {
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
        configuration("there is no authority to verify the server's certificate")
            .with_source(error)
            .with_hint("install the host's certificates (ca-certificates), or set sslrootcert to a file")
    })
}

fn system_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "skipping an unreadable authority of this host");
    }
    let mut roots = RootCertStore::empty();
    let (taken, left) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(taken, left, "authorities of this host");
    roots
}

/// The file with the authorities of this host, or the word of libpq for them.
fn system_bundle() -> PathBuf {
    const FILES: [&str; 5] = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
        "/opt/homebrew/etc/openssl@3/cert.pem",
    ];
    FILES.map(PathBuf::from).into_iter().find(|file| file.is_file()).unwrap_or_else(|| "system".into())
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
    if found.is_empty() {
        Err(unreadable(path).with_hint("the file has no certificate in PEM format"))
    } else {
        Ok(found)
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    let key = read_secret_file(path, "the client's key", "check sslkey")?;
    PrivateKeyDer::from_pem_slice(&key).map_err(|error| {
        unreadable(path).with_source(error).with_hint("the file must have one unencrypted key in PEM format")
    })
}

fn unreadable(path: &Path) -> Error {
    configuration("could not read a certificate or a key").with_context("path", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn tls(parameters: &str) -> Result<Tls> {
        Tls::new(&Settings::new(&format!("postgres://db?{parameters}"), &|_| None).unwrap(), None)
    }

    #[test]
    fn remote_servers_are_verified_by_default() {
        let mode = |parameters, local| tls(parameters).unwrap().mode(local);
        assert_eq!((mode("", false), mode("", true)), (SslMode::VerifyFull, SslMode::Prefer));
        assert_eq!(
            (mode("sslmode=require", false), mode("sslmode=verify-ca", true)),
            (SslMode::Require, SslMode::VerifyCa)
        );
        assert_eq!(mode("sslrootcert=system", true), SslMode::VerifyFull);
    }

    #[test]
    fn weaker_than_promised_settings_are_refused() {
        let parameters =
            ["sslmode=require&sslrootcert=system", "channel_binding=require", "sslmode=full", "channel_binding=x"];
        for parameters in parameters {
            assert_eq!(tls(parameters).unwrap_err().kind(), ErrorKind::Configuration, "{parameters}");
        }
        assert!(tls("channel_binding=prefer&sslmode=verify-full&sslrootcert=system").is_ok());
    }

    #[tokio::test]
    async fn configured_files_must_exist() {
        for parameters in ["sslrootcert=/nowhere", "sslcert=/nowhere", "sslcert=/nowhere&sslkey=/nowhere"] {
            let error = tls(parameters).unwrap().offers(true).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Configuration, "{parameters}");
        }
        let disabled = tls("sslmode=disable&sslrootcert=/nowhere").unwrap().offers(false).await;
        assert!(matches!(disabled.unwrap().as_slice(), [TlsOffer::Plain]));
    }
}
