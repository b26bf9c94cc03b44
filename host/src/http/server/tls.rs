//! TLS from certificate files that can be read anew without a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate chain and its key, as PEM files. TLS 1.2 and 1.3; ALPN `h2` and `http/1.1`.
#[derive(Debug)]
pub struct Tls {
    chain: PathBuf,
    key: PathBuf,
    config: ArcSwap<ServerConfig>,
}

/// Why the files cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read or is not PEM.
    #[error("could not read {what} from {}: {source}", file.display())]
    File {
        /// `a certificate chain` or `a private key`.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// The chain file has no certificate in it.
    #[error("found no certificate in {}, expected at least one PEM block CERTIFICATE", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// Key and certificate do not fit, or are of a kind that is not supported.
    #[error("the certificate in {} and the key in {} cannot be used together: {source}", chain.display(), key.display())]
    Mismatch {
        /// The chain file.
        chain: PathBuf,
        /// The key file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`], naming the file.
    pub fn load(chain: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (chain, key) = (chain.into(), key.into());
        let config = ArcSwap::new(read(&chain, &key)?);
        Ok(Self { chain, key, config })
    }

    /// Reads the files again. Connections that are open keep the certificate they began with.
    ///
    /// # Errors
    /// [`TlsError`]; the certificate in use stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.config.store(read(&self.chain, &self.key)?);
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config.load_full())
    }
}

fn read(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let unreadable = |what, file: &Path| {
        let file = file.to_owned();
        move |source| TlsError::File { what, file, source }
    };
    let certificates = CertificateDer::pem_file_iter(chain)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable("a certificate chain", chain))?;
    if certificates.is_empty() {
        return Err(TlsError::Empty { file: chain.to_owned() });
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(unreadable("a private key", key))?;
    let mismatch = |source| TlsError::Mismatch {
        chain: chain.to_owned(),
        key: key.to_owned(),
        source,
    };
    // The provider is passed explicitly: whichever one a library may have installed for the process is not used.
    let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(mismatch)?
        .with_no_client_auth()
        .with_single_cert(certificates, secret)
        .map_err(mismatch)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
