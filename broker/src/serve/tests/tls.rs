//! Over TLS.

use super::*;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

fn certificate(dir: &Path) -> (TlsFiles, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["writ.test".to_owned()]).unwrap();
    let files = write(dir, &made);
    (files, made.cert.der().clone())
}

/// Writes a certificate and its key to files.
pub(super) fn write(dir: &Path, made: &rcgen::CertifiedKey<rcgen::KeyPair>) -> TlsFiles {
    let files = TlsFiles { certificates: dir.join("cert.pem"), key: dir.join("key.pem") };
    std::fs::write(&files.certificates, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    std::fs::set_permissions(&files.certificates, PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::set_permissions(&files.key, PermissionsExt::from_mode(0o600)).unwrap();
    files
}

#[tokio::test]
async fn the_daemon_speaks_tls_with_its_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let (files, certificate) = certificate(dir.path());
    let rig = Rig::on(Arc::new(MemoryLedger::new()), Some(files)).await;
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(rig.tcp).await.unwrap();
    let name = ServerName::try_from("writ.test").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let get = b"GET /health HTTP/1.1\r\nhost: writ.test\r\nconnection: close\r\n\r\n";
    assert_eq!(exchange(stream, get).await.status, 200);
    // In the clear there is nothing.
    assert_eq!(rig.get("/health").await.status, 0);
}

#[tokio::test]
async fn a_key_that_others_can_read_or_of_another_certificate_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (files, _) = certificate(dir.path());
    let bind = |files: &TlsFiles| {
        let tls = Some(files.clone());
        Listen::Tcp { address: "127.0.0.1:0".parse().unwrap(), tls }.bind().err()
    };
    assert!(bind(&files).is_none());
    std::fs::set_permissions(&files.key, PermissionsExt::from_mode(0o644)).unwrap();
    assert!(matches!(bind(&files), Some(ServeError::Tls { .. })));
    let elsewhere = tempfile::tempdir().unwrap();
    let (other, _) = certificate(elsewhere.path());
    let mixed = TlsFiles { certificates: files.certificates.clone(), key: other.key };
    assert!(matches!(bind(&mixed), Some(ServeError::Tls { .. })));
}
