//! Where the daemon listens.

use super::ServeError;
use crate::providers::files::{self, Privacy};
use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::fs::Permissions;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

/// The largest file of a certificate chain or a key, bytes.
const LARGEST_PEM: u64 = 1 << 20;

/// One place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A socket in a directory that only its owner can write, such as that of the ledger. Who can
    /// connect may do everything, so it is for this user and root alone.
    Unix(PathBuf),
    /// An address for everybody. Without TLS it must be one of this machine alone: what is sent there
    /// lets its reader in.
    Tcp {
        /// The address and the port; port 0 takes a free one.
        address: SocketAddr,
        /// The certificate, unless somebody else on this machine speaks TLS for us.
        tls: Option<TlsFiles>,
    },
}

/// A certificate and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain in PEM, the server's own first.
    pub certificates: PathBuf,
    /// Its private key in PEM, readable by nobody else.
    pub key: PathBuf,
}

/// One place that is listened at.
pub(super) enum Bound {
    Unix(UnixListener, Socket),
    Tcp(TcpListener, Option<TlsAcceptor>),
}

/// The file of a Unix socket. It goes with the daemon.
pub(super) struct Socket {
    path: PathBuf,
    identity: (u64, u64),
    /// Held for as long as the daemon lives: of two, one starts.
    _lock: OwnedFd,
}

impl Listen {
    pub(super) fn bind(&self) -> Result<Bound, ServeError> {
        match self {
            Self::Unix(path) => {
                let failed = |error: io::Error| ServeError::listen(path.display(), error);
                let (listener, socket) = unix(path)?;
                listener.set_nonblocking(true).map_err(failed)?;
                Ok(Bound::Unix(UnixListener::from_std(listener).map_err(failed)?, socket))
            }
            Self::Tcp { address, tls } => {
                if tls.is_none() && !address.ip().is_loopback() {
                    return Err(ServeError::Cleartext(*address));
                }
                let tls = tls.as_ref().map(TlsFiles::acceptor).transpose()?;
                let failed = |error: io::Error| ServeError::listen(address, error);
                let listener = std::net::TcpListener::bind(address).map_err(failed)?;
                listener.set_nonblocking(true).map_err(failed)?;
                Ok(Bound::Tcp(TcpListener::from_std(listener).map_err(failed)?, tls))
            }
        }
    }
}

/// Listens at a socket, in place of one that a daemon has left behind.
fn unix(path: &Path) -> Result<(std::os::unix::net::UnixListener, Socket), ServeError> {
    let failed = |error: io::Error| ServeError::listen(path.display(), error);
    let directory = path.parent().unwrap_or(Path::new("/")).metadata().map_err(failed)?;
    let own = rustix::process::geteuid().as_raw();
    if directory.uid() != own || directory.mode() & 0o022 != 0 {
        return Err(ServeError::Directory(path.to_owned()));
    }
    let lock = path.with_extension("lock");
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let lock = rustix::fs::open(&lock, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|error| failed(error.into()))?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Err(ServeError::Running(path.to_owned()));
    }
    match path.symlink_metadata() {
        Ok(there) if there.file_type().is_socket() => std::fs::remove_file(path).map_err(failed)?,
        Ok(_) => return Err(failed(io::Error::other("there is a file that is no socket"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = std::os::unix::net::UnixListener::bind(path).map_err(failed)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
    let made = path.symlink_metadata().map_err(failed)?;
    let identity = (made.dev(), made.ino());
    Ok((listener, Socket { path: path.to_owned(), identity, _lock: lock }))
}

impl Drop for Socket {
    fn drop(&mut self) {
        let is_ours = |there: std::fs::Metadata| (there.dev(), there.ino()) == self.identity;
        if self.path.symlink_metadata().is_ok_and(is_ours) {
            // One that is left behind is taken over at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl TlsFiles {
    fn acceptor(&self) -> Result<TlsAcceptor, ServeError> {
        let refuse =
            |path: &Path, why: &str| ServeError::Tls { path: path.to_owned(), why: why.to_owned() };
        let read = |path: &Path, privacy| {
            let read = files::read(path, privacy, LARGEST_PEM);
            read.map_err(|error| refuse(path, &error.to_string()))
        };
        let pem = read(&self.certificates, Privacy::Trusted)?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .map_err(|_| refuse(&self.certificates, "it is not PEM"))?;
        let key = PrivateKeyDer::from_pem_slice(&read(&self.key, Privacy::Secret)?)
            .map_err(|_| refuse(&self.key, "it holds no private key in PEM"))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| refuse(&self.certificates, "TLS cannot be set up"))?
            .with_no_client_auth()
            .with_single_cert(chain, key);
        let mut config = config.map_err(|_| {
            refuse(&self.certificates, "it holds no certificate, or one of another key")
        })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}
