//! An S3 API: SeaweedFS, which checks signatures.

use std::io::{Read as _, Write as _};
use std::process::Command;

use super::{Kind, Place, programs};

/// One server with master, volumes, filer and the S3 API, and one bucket.
#[derive(Clone, Copy, Debug, Default)]
pub struct S3;

const BUCKET: &str = "wharf-tests";
const KEY: &str = "wharf-key";
const SECRET: &str = "wharf-secret-of-tests";

/// Which of the ports is which.
const API: usize = 0;
const FILER: usize = 1;

impl Kind for S3 {
    fn name(&self) -> &'static str {
        "s3"
    }

    fn ports(&self) -> usize {
        10
    }

    fn prepare(&self, place: &Place) -> Result<(), String> {
        let identities = serde_json::json!({ "identities": [{
            "name": "tests",
            "credentials": [{ "accessKey": KEY, "secretKey": SECRET }],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }]});
        place.write("s3.json", &identities.to_string())?;
        Ok(())
    }

    fn commands(&self, place: &Place) -> Vec<Command> {
        let mut command = place.command(programs::find("weed", &[]));
        command
            .arg("-logtostderr")
            .arg("server")
            .arg(format!("-dir={}", place.folder.display()));
        command.args([
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-s3.ip.bind=127.0.0.1",
            "-s3",
            "-s3.config=s3.json",
        ]);
        command.args(["-master.volumeSizeLimitMB=64", "-volume.max=200", "-master.telemetry=false"]);
        // The disk of a machine that tests is often nearly full; it would refuse to write then.
        command.arg("-volume.minFreeSpace=1MiB");
        let ports = [
            "s3.port",
            "filer.port",
            "master.port",
            "volume.port",
            "s3.port.grpc",
            "filer.port.grpc",
            "master.port.grpc",
            "volume.port.grpc",
            "s3.port.iceberg",
            "s3.port.lance",
        ];
        for (number, name) in ports.iter().enumerate() {
            command.arg(format!("-{name}={}", place.nth_port(number)));
        }
        vec![command]
    }

    /// The filer makes the bucket and writes a file, which needs master and volumes; the API answers, and refuses who has no key.
    fn ask(&self, place: &Place) -> Result<(), String> {
        status(place, FILER, &format!("POST /buckets/{BUCKET}/"), "").and_then(|status| expect(status, &[200, 201, 409]))?;
        status(place, FILER, "PUT /ready", "ready").and_then(|status| expect(status, &[200, 201]))?;
        status(place, API, &format!("GET /{BUCKET}"), "").and_then(|status| expect(status, &[403]))
    }

    fn variables(&self, place: &Place) -> Vec<(&'static str, String)> {
        vec![
            ("WHARF_TEST_S3_URL", format!("http://127.0.0.1:{}", place.nth_port(API))),
            ("WHARF_TEST_S3_BUCKET", BUCKET.to_owned()),
            ("WHARF_TEST_S3_KEY", KEY.to_owned()),
            ("WHARF_TEST_S3_SECRET", SECRET.to_owned()),
        ]
    }
}

/// One request; its status.
fn status(place: &Place, port: usize, target: &str, body: &str) -> Result<u16, String> {
    let mut stream = place.connect(port)?;
    let length = body.len();
    let request = format!("{target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    let mut answer = Vec::new();
    let asked = stream.write_all(request.as_bytes()).and_then(|()| stream.read_to_end(&mut answer));
    asked.map_err(|error| format!("{target}: {error}"))?;
    let line = String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned();
    line.split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or(format!("{target}: found {line:?}, expected a status"))
}

fn expect(found: u16, expected: &[u16]) -> Result<(), String> {
    if expected.contains(&found) {
        Ok(())
    } else {
        Err(format!("found status {found}, expected one of {expected:?}"))
    }
}
