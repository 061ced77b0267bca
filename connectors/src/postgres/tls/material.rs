//! Authorities, certificates and keys, from their files.

use super::{
    Authorities, Tls,
    mode::Mode,
    verify::{AnyCertificate, AnyName},
};
use crate::{Error, Result, postgres::conninfo::refused};
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
    sync::Arc,
};

impl Tls {
    /// What a handshake is made with.
    pub(super) fn load(&self, mode: Mode) -> Result<ClientConfig> {
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
    fn verifier(&self, mode: Mode, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>> {
        let authorities = self.authorities.clone().or(self.usual("root.crt")?.map(Authorities::File));
        Ok(match (mode, authorities) {
            (Mode::VerifyFull, authorities) => chain(&authorities.unwrap_or(Authorities::System), provider)?,
            (_, Some(authorities)) => Arc::new(AnyName(chain(&authorities, provider)?)),
            (Mode::VerifyCa, None) => {
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
