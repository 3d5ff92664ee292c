//! HTTPS: certificate files, and their renewal without a restart.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use arc_swap::ArcSwap;
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::TlsAcceptor;

/// How often the certificate files are looked at.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(30);

/// PEM files: a certificate chain, leaf first, and its private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Certificate chain.
    pub cert: PathBuf,
    /// Private key (PKCS #8, PKCS #1 or SEC 1).
    pub key: PathBuf,
}

/// Certificate files that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The file is missing, or no PEM of the right kind.
    #[error("{path}: {reason}", path = path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key don't belong together, or the key's kind is unknown.
    #[error("certificate and key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// The certificate in use.
#[derive(Debug)]
pub(super) struct Certificate {
    files: TlsFiles,
    /// When the files that were read first had been written.
    written_at: WrittenAt,
    current: Arc<Current>,
    config: Arc<ServerConfig>,
}

/// Of certificate and key.
type WrittenAt = [Option<SystemTime>; 2];

/// Hands the newest certificate to each handshake.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl Certificate {
    /// Reads the files for the first time.
    pub(super) fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        // Asked before the files are read: what is written in between is taken for a change.
        let written_at = written_at(&files);
        let current = Arc::new(Current(ArcSwap::new(read(&files)?)));
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(Self { files, written_at, current, config: Arc::new(config) }))
    }

    /// TLS 1.2 and 1.3 with this certificate, offering HTTP/2 and HTTP/1.1.
    pub(super) fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.config))
    }

    /// Takes up a renewed certificate when the files change; one that cannot be used leaves the old one in place.
    pub(super) async fn renew(self: Arc<Self>) {
        let mut seen = self.written_at;
        loop {
            tokio::time::sleep(RENEWAL_INTERVAL).await;
            let changed = written_at(&self.files);
            if changed == seen {
                continue;
            }
            match read(&self.files) {
                Ok(renewed) => {
                    seen = changed;
                    self.current.0.store(renewed);
                    tracing::info!(cert = %self.files.cert.display(), "certificate renewed");
                }
                Err(error) => tracing::warn!(%error, "changed certificate files cannot be used: keeping the old ones"),
            }
        }
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

fn written_at(files: &TlsFiles) -> WrittenAt {
    [&files.cert, &files.key].map(|path| path.metadata().and_then(|metadata| metadata.modified()).ok())
}

fn read(files: &TlsFiles) -> Result<Arc<CertifiedKey>, TlsError> {
    let wrong = |path: &Path, reason: String| TlsError::File { path: path.to_owned(), reason };
    let chain = CertificateDer::pem_file_iter(&files.cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| wrong(&files.cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(&files.cert, "no certificate in it".into()));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| wrong(&files.key, error.to_string()))?;
    Ok(Arc::new(CertifiedKey::from_der(chain, key, &ring::default_provider())?))
}
