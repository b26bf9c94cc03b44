//! PostgreSQL.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use super::{free_port, kill};

/// A server of this test alone.
pub(crate) struct Private {
    port: u16,
    folder: TempDir,
    child: Option<Child>,
}

impl Private {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The server refuses to run as root and then needs to get at the folder.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let mut server = Self {
            port: free_port(),
            folder,
            child: None,
        };
        let made = server
            .program("initdb")
            .args(["--auth=trust", "--username=postgres", "--no-sync", "-D"])
            .arg(server.data())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed");
        server.restart().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Kills all its processes: those of the connections follow their parent.
    pub(crate) fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        if let Some(pid) = file.lines().next() {
            let _ = Command::new("kill").args(["-9", pid]).status();
        }
        kill(&mut child);
    }

    pub(crate) async fn restart(&mut self) {
        let mut command = self.program("postgres");
        command
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-k", ""])
            .arg("-D")
            .arg(self.data())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let deadline = Instant::now() + Duration::from_secs(30);
        // Processes of the killed server may still hold its shared memory for a moment: then it is started again.
        while PgConnection::connect(&self.url()).await.is_err() {
            assert!(Instant::now() < deadline, "postgres did not start");
            let has_ended = self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some());
            if has_ended {
                self.child = Some(command.spawn().unwrap());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program of the server, as a user it accepts.
    fn program(&self, name: &str) -> Command {
        let version = |path: &PathBuf| path.to_string_lossy().split('/').filter_map(|part| part.parse::<u32>().ok()).next();
        let installed = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path().join("bin").join(name)))
            .filter(|path| path.exists())
            .max_by_key(version);
        let path = installed.unwrap_or_else(|| PathBuf::from(name));
        if !rustix::process::geteuid().is_root() {
            return Command::new(path);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(path).current_dir(self.folder.path());
        command
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.kill();
    }
}
