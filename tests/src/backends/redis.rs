//! Redis.

use std::io::{Read as _, Write as _};
use std::process::Command;

use super::{Kind, Place, programs};

/// A Redis that keeps nothing: a killed one comes back empty, without the scripts it knew.
#[derive(Clone, Copy, Debug, Default)]
pub struct Redis;

impl Kind for Redis {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn user(&self) -> &'static str {
        "redis"
    }

    fn commands(&self, place: &Place) -> Vec<Command> {
        let mut command = place.command(programs::find("redis-server", &[]));
        command.args(["--port", &place.port().to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no", "--daemonize", "no"]);
        command.arg("--dir").arg(&place.folder);
        vec![command]
    }

    fn ask(&self, place: &Place) -> Result<(), String> {
        let mut stream = place.connect(0)?;
        let mut answer = [0_u8; 5];
        let asked = stream.write_all(b"PING\r\n").and_then(|()| stream.read_exact(&mut answer));
        match asked {
            Ok(()) if answer == *b"+PONG" => Ok(()),
            Ok(()) => Err(format!("found {:?}, expected +PONG", String::from_utf8_lossy(&answer))),
            Err(error) => Err(error.to_string()),
        }
    }

    fn variables(&self, place: &Place) -> Vec<(&'static str, String)> {
        vec![("WHARF_TEST_REDIS_URL", format!("redis://127.0.0.1:{}", place.port()))]
    }
}
