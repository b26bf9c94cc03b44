//! PostgreSQL.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use super::{Backend, Kind, Place, programs};

/// A cluster of its own with a superuser `postgres`. It does not wait for the disk: a killed server loses nothing by that, only
/// a killed machine does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Postgres;

/// A hot standby of a [`Postgres`], which streams what that one commits. It comes back where it left off: the primary keeps a
/// slot for it.
#[derive(Clone, Copy, Debug)]
pub struct Standby {
    primary: u16,
}

const PASSWORD: &str = "wharf-tests";

impl Kind for Postgres {
    fn name(&self) -> &'static str {
        "postgres"
    }

    fn user(&self) -> &'static str {
        "postgres"
    }

    fn prepare(&self, place: &Place) -> Result<(), String> {
        let password = place.write("password", PASSWORD)?;
        let mut command = place.command(program("initdb"));
        command.args([
            "--username=postgres",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]);
        command.arg("--pwfile").arg(password).arg("--pgdata").arg(place.folder.join("data"));
        place.run(command)
    }

    fn commands(&self, place: &Place) -> Vec<Command> {
        vec![server(place, &["wal_level=replica", "max_wal_senders=4"])]
    }

    fn ask(&self, place: &Place) -> Result<(), String> {
        takes_connections(place)
    }

    fn variables(&self, place: &Place) -> Vec<(&'static str, String)> {
        vec![("WHARF_TEST_POSTGRES_URL", url(place.port()))]
    }
}

impl Standby {
    /// Of one that runs.
    #[must_use]
    pub fn of(primary: &Backend) -> Self {
        Self {
            primary: primary.place().port(),
        }
    }
}

impl Kind for Standby {
    fn name(&self) -> &'static str {
        "standby"
    }

    fn user(&self) -> &'static str {
        "postgres"
    }

    /// As operators make one: a copy over the wire, and where it goes on from.
    fn prepare(&self, place: &Place) -> Result<(), String> {
        let mut command = place.command(program("pg_basebackup"));
        command.args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"]);
        // A port that was taken makes another try, with a slot of its own.
        command.args(["--create-slot", "--slot", &format!("standby_{}", place.port())]);
        command.arg("--dbname").arg(url(self.primary));
        command.arg("--pgdata").arg(place.folder.join("data"));
        place.run(command)
    }

    fn commands(&self, place: &Place) -> Vec<Command> {
        vec![server(place, &["hot_standby=on", "wal_retrieve_retry_interval=100ms"])]
    }

    fn ask(&self, place: &Place) -> Result<(), String> {
        takes_connections(place)
    }

    fn variables(&self, place: &Place) -> Vec<(&'static str, String)> {
        vec![("WHARF_TEST_POSTGRES_REPLICA_URL", url(place.port()))]
    }
}

fn server(place: &Place, settings: &[&str]) -> Command {
    let mut command = place.command(program("postgres"));
    command.arg("-D").arg(place.folder.join("data")).arg("-k").arg(&place.folder);
    command.args(["-h", "127.0.0.1", "-p", &place.port().to_string()]);
    // A standby wants as many connections as its primary has.
    let always = ["fsync=off", "max_connections=200", "logging_collector=off"];
    for setting in always.iter().chain(settings).copied() {
        command.args(["-c", setting]);
    }
    command
}

fn url(port: u16) -> String {
    format!("postgres://postgres:{PASSWORD}@127.0.0.1:{port}/postgres")
}

/// A start-up message (protocol 3.0): a server that takes connections asks for the password, one that does not says why.
fn takes_connections(place: &Place) -> Result<(), String> {
    let mut stream = place.connect(0)?;
    let parameters = b"user\0postgres\0database\0postgres\0\0";
    let length = u32::try_from(8 + parameters.len()).unwrap_or(0);
    let message = [&length.to_be_bytes()[..], &196_608_u32.to_be_bytes()[..], parameters].concat();
    let mut answer = [0_u8; 1];
    let asked = stream.write_all(&message).and_then(|()| stream.read_exact(&mut answer));
    match (asked, answer) {
        (Ok(()), [b'R']) => Ok(()),
        (Ok(()), _) => Err("it does not take connections yet".to_owned()),
        (Err(error), _) => Err(error.to_string()),
    }
}

fn program(name: &str) -> std::path::PathBuf {
    programs::find(name, &programs::versions(Path::new("/usr/lib/postgresql")))
}
