//! What is kept of logins: a file of mode 0600 in the user's configuration folder.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::cli::{Exit, Failure};

/// The logins, locked while this lives: programs that run side by side renew a token one after the other.
pub(crate) struct Logins {
    path: PathBuf,
    held: Held,
    _lock: File,
}

/// What the file holds.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Held {
    /// Where somebody logged in last.
    current: Option<String>,
    /// By address of the host.
    servers: BTreeMap<String, Login>,
}

/// One login.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Login {
    /// Tokens of a session.
    Tokens {
        /// Counts until `expires`.
        access_token: String,
        /// Good once.
        refresh_token: Option<String>,
        /// Seconds since 1970.
        expires: i64,
    },
    /// An API key.
    ApiKey {
        /// The key.
        key: String,
    },
}

impl Login {
    /// What is sent.
    pub(crate) fn bearer(&self) -> &str {
        match self {
            Self::Tokens { access_token, .. } => access_token,
            Self::ApiKey { key } => key,
        }
    }
}

impl Logins {
    /// Opens the file of this user, or begins one.
    pub(crate) fn open() -> Result<Self, Failure> {
        Self::open_in(&folder()?)
    }

    fn open_in(folder: &Path) -> Result<Self, Failure> {
        let (path, lock) = (folder.join("logins.json"), folder.join("logins.lock"));
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(failed("make", folder))?;
        let lock_file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock)
            .map_err(failed("open", &lock))?;
        flock(&lock_file, FlockOperation::LockExclusive).map_err(|error| failed("lock", &lock)(error.into()))?;
        let held = read(&path)?;
        Ok(Self {
            path,
            held,
            _lock: lock_file,
        })
    }

    /// Where somebody logged in last.
    pub(crate) fn current(&self) -> Option<&str> {
        self.held.current.as_deref()
    }

    pub(crate) fn get(&self, server: &str) -> Option<&Login> {
        self.held.servers.get(server)
    }

    /// Keeps a login. Durable when it returns.
    pub(crate) fn put(&mut self, server: &str, login: Login) -> Result<(), Failure> {
        self.held.servers.insert(server.to_owned(), login);
        self.write()
    }

    /// Keeps a login, and takes this host when none is named from now on.
    pub(crate) fn begin(&mut self, server: &str, login: Login) -> Result<(), Failure> {
        self.held.current = Some(server.to_owned());
        self.put(server, login)
    }

    /// Forgets a login, and gives it.
    pub(crate) fn end(&mut self, server: &str) -> Result<Option<Login>, Failure> {
        let ended = self.held.servers.remove(server);
        if self.held.current.as_deref() == Some(server) {
            self.held.current = None;
        }
        self.write()?;
        Ok(ended)
    }

    /// Into a file beside, which then takes the place of the old one: whoever is killed leaves one of both.
    fn write(&self) -> Result<(), Failure> {
        let draft = self.path.with_extension("json.new");
        drop(std::fs::remove_file(&draft));
        let write = || {
            let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&draft)?;
            file.write_all(serde_json::to_string_pretty(&self.held).map_err(std::io::Error::from)?.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&draft, &self.path)
        };
        write().map_err(failed("write", &self.path))
    }
}

fn read(path: &Path) -> Result<Held, Failure> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Held::default()),
        Err(error) => return Err(failed("read", path)(error)),
    };
    let mode = file.metadata().map_err(failed("read", path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let message = format!("{} has mode {mode:03o}, expected 600: others can read its tokens", path.display());
        let hint = format!(
            "run `chmod 600 {}`, and log out and in again if others may have read it",
            path.display()
        );
        return Err(Failure::new(Exit::Failed, "login.mode", message, hint));
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(failed("read", path))?;
    serde_json::from_str(&text).map_err(|error| {
        // The error of a parser names a place, never a value.
        let message = format!("{} is not what `wharf login` writes: line {}", path.display(), error.line());
        Failure::new(
            Exit::Failed,
            "login.file",
            message,
            format!("remove {} and log in again", path.display()),
        )
    })
}

/// `$XDG_CONFIG_HOME/wharf`, else `~/.config/wharf`.
fn folder() -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| set("HOME").map(|home| home.join(".config")));
    let config = config.ok_or_else(|| Failure::usage("found neither XDG_CONFIG_HOME nor HOME, expected one of them", "set HOME"))?;
    Ok(config.join("wharf"))
}

fn failed<'a>(what: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> Failure + use<'a> {
    move |error| {
        Failure::failed(
            &format!("cannot {what} {}", path.display()),
            &error.to_string(),
            "it holds what is kept of logins",
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn login(token: &str) -> Login {
        Login::Tokens {
            access_token: token.to_owned(),
            refresh_token: None,
            expires: 1,
        }
    }

    fn logins(folder: &Path) -> Logins {
        Logins::open_in(folder).ok().unwrap()
    }

    #[test]
    fn a_login_is_kept_for_its_user_alone_until_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wharf");
        logins(&path).begin("https://a", login("1")).ok().unwrap();
        logins(&path).put("https://b", login("2")).ok().unwrap();
        let mode = |name: &str| std::fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("logins.json"), mode("")), (0o600, 0o700));
        let mut again = logins(&path);
        assert_eq!(
            (again.current(), again.get("https://b").unwrap().bearer()),
            (Some("https://a"), "2")
        );
        assert_eq!(again.end("https://a").ok().unwrap().unwrap().bearer(), "1");
        assert!(again.current().is_none() && again.get("https://a").is_none());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logins.json");
        std::fs::write(&path, "{\"servers\":{\"canary").unwrap();
        for mode in [0o644, 0o600] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let failure = Logins::open_in(folder.path()).err().unwrap();
            assert!(
                !failure.message.contains("canary") && failure.message.contains("logins.json"),
                "{}",
                failure.message
            );
        }
    }
}
