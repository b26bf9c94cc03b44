//! The Unix socket of the admin API: made private, one a host, peers checked.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::future::Future;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};

use super::audit::AdminCaller;

/// Longest path a Unix socket can have on Linux; one byte is the terminating zero.
const LONGEST_PATH: usize = 107;
/// How long answers under way may take after the shutdown signal.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long to wait after an accept that failed, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A listening admin socket. Dropping it removes the file.
#[derive(Debug)]
pub struct AdminSocket {
    listener: UnixListener,
    path: PathBuf,
    // Held as long as the host lives: it tells a stale socket from a living one without a race.
    _lock: File,
}

/// Why there is no admin socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Another host has it.
    #[error("another host runs with the admin socket {}; stop it, or give this one a data_dir or admin.socket of its own", .0.display())]
    AlreadyRunning(PathBuf),
    /// Something that is no socket stands in its place.
    #[error("found a file at {}, expected nothing or a socket; remove it, or set admin.socket", .0.display())]
    NotASocket(PathBuf),
    /// The folder is open to others.
    #[error("found folder {} with owner {owner} and mode {mode:o}, expected owner {expected} and mode 700; chmod it, or set admin.socket", path.display())]
    OpenFolder {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Its mode.
        mode: u32,
        /// The user of this process.
        expected: u32,
    },
    /// The system takes only short paths.
    #[error("found a socket path of {found} bytes, expected at most {LONGEST_PATH}: {}; set admin.socket to a shorter one", path.display())]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        found: usize,
    },
    /// The system refused.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
}

impl AdminSocket {
    /// Makes the folder (0700) and the socket (0600) and listens. A socket nobody listens on is replaced. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`SocketError`], above all when another host runs.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let length = path.as_os_str().len();
        if length > LONGEST_PATH {
            return Err(SocketError::PathTooLong {
                path: path.to_owned(),
                found: length,
            });
        }
        check_folder(
            path.parent()
                .filter(|folder| !folder.as_os_str().is_empty())
                .unwrap_or(Path::new(".")),
        )?;
        let lock = lock_beside(path)?;
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(io_error("bind", path))?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(io_error("make private", path))?;
        Ok(Self {
            listener,
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // If it is gone already, that is what was wanted.
        drop(fs::remove_file(&self.path));
    }
}

/// Serves until `shutdown` is ready, then lets answers under way end for a short time. Peers other than this user and root are turned away.
pub async fn serve_admin(socket: AdminSocket, router: Router, shutdown: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = socket.listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, _)) if is_allowed(&stream) => answer(stream, &router, &graceful),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = &error as &(dyn std::error::Error + 'static), "admin socket cannot accept");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(socket);
    if tokio::time::timeout(GOODBYE, graceful.shutdown()).await.is_err() {
        tracing::warn!("admin requests were cut off at shutdown");
    }
}

fn answer(stream: UnixStream, router: &Router, graceful: &GracefulShutdown) {
    let uid = stream.peer_cred().map_or(u32::MAX, |peer| peer.uid());
    let router = router.clone().layer(axum::Extension(AdminCaller::on_this_machine(uid)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10))
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = &error as &(dyn std::error::Error + 'static), "admin connection ended badly");
        }
    });
}

/// The kernel says who the peer is; it cannot lie.
fn is_allowed(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == own || peer.uid() == 0 => true,
        Ok(peer) => {
            tracing::warn!(
                peer.uid = peer.uid(),
                peer.pid = peer.pid(),
                "admin connection of another user refused"
            );
            false
        }
        Err(error) => {
            tracing::warn!(
                error = &error as &(dyn std::error::Error + 'static),
                "admin connection of an unknown user refused"
            );
            false
        }
    }
}

fn check_folder(folder: &Path) -> Result<(), SocketError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(io_error("make the folder", folder))?;
    let found = fs::metadata(folder).map_err(io_error("look at the folder", folder))?;
    let own = rustix::process::geteuid().as_raw();
    if found.uid() != own || found.mode() & 0o077 != 0 {
        return Err(SocketError::OpenFolder {
            path: folder.to_owned(),
            owner: found.uid(),
            mode: found.mode() & 0o7777,
            expected: own,
        });
    }
    Ok(())
}

fn lock_beside(path: &Path) -> Result<File, SocketError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&name)
        .map_err(io_error("open", &name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SocketError::AlreadyRunning(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(SocketError::Io {
            doing: "lock",
            path: name,
            source,
        }),
    }
}

/// A socket that answers belongs to a host, even if that host holds no lock.
fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io_error("look at", path)(error)),
    };
    if !found.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(SocketError::AlreadyRunning(path.to_owned())),
        Err(_) => fs::remove_file(path).map_err(io_error("remove the stale socket", path)),
    }
}

fn io_error(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> SocketError {
    let path = path.to_owned();
    move |source| SocketError::Io {
        doing,
        path: path.clone(),
        source,
    }
}
