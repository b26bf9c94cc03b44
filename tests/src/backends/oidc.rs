//! An identity provider: oidc-provider, which is certified by the OpenID Foundation.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::Command;

use super::{Kind, Place, programs};
use crate::workspace::root;

/// A provider that lets anybody in under any name, for the clients `wharf` and `other`, whose answers go to
/// `http://127.0.0.1:8080/auth/v1/callback/test`. PKCE is required.
#[derive(Clone, Copy, Debug, Default)]
pub struct Oidc;

impl Kind for Oidc {
    fn name(&self) -> &'static str {
        "oidc"
    }

    fn prepare(&self, place: &Place) -> Result<(), String> {
        let script =
            fs::read_to_string(root().join("tests/backends/oidc.mjs")).map_err(|error| format!("cannot read oidc.mjs: {error}"))?;
        place.write("oidc.mjs", &script)?;
        Ok(())
    }

    /// As the caller: its libraries are in a folder that others may not be able to reach.
    fn commands(&self, place: &Place) -> Vec<Command> {
        let own = Place {
            user: None,
            ..place.clone()
        };
        let mut command = own.command(programs::find("node", &[]));
        command
            .env("NODE_ENV", "test")
            .args(["oidc.mjs", &place.port().to_string()])
            .arg(programs::tools().join("node"));
        vec![command]
    }

    fn ask(&self, place: &Place) -> Result<(), String> {
        let mut stream = place.connect(0)?;
        let mut answer = String::new();
        let request = "GET /.well-known/openid-configuration HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n";
        let asked = stream
            .write_all(request.as_bytes())
            .and_then(|()| stream.read_to_string(&mut answer));
        asked.map_err(|error| error.to_string())?;
        match answer.starts_with("HTTP/1.1 200 ") {
            true => Ok(()),
            false => Err(format!("found {:?}, expected 200", answer.lines().next().unwrap_or_default())),
        }
    }

    fn variables(&self, place: &Place) -> Vec<(&'static str, String)> {
        vec![("WHARF_TEST_OIDC_URL", format!("http://127.0.0.1:{}", place.port()))]
    }
}
