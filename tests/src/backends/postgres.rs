//! PostgreSQL.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use super::{Kind, Place, programs};

/// A cluster of its own with a superuser `postgres`. It does not wait for the disk: a killed server loses nothing by that, only
/// a killed machine does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Postgres;

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
        let mut command = place.command(program("postgres"));
        command.arg("-D").arg(place.folder.join("data")).arg("-k").arg(&place.folder);
        command.args(["-h", "127.0.0.1", "-p", &place.port().to_string()]);
        for setting in [
            "fsync=off",
            "max_connections=200",
            "wal_level=replica",
            "max_wal_senders=4",
            "logging_collector=off",
        ] {
            command.args(["-c", setting]);
        }
        vec![command]
    }

    /// A start-up message (protocol 3.0): a server that takes connections asks for the password, one that does not says why.
    fn ask(&self, place: &Place) -> Result<(), String> {
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

    fn variables(&self, place: &Place) -> Vec<(&'static str, String)> {
        let url = format!("postgres://postgres:{PASSWORD}@127.0.0.1:{}/postgres", place.port());
        vec![("WHARF_TEST_POSTGRES_URL", url)]
    }
}

fn program(name: &str) -> std::path::PathBuf {
    programs::find(name, &programs::versions(Path::new("/usr/lib/postgresql")))
}
