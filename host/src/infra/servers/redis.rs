//! Redis.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{address, free_port, kill, unique};

/// The shared server.
pub(crate) fn shared() -> String {
    address("WHARF_TEST_REDIS_URL")
}

/// A prefix that nobody else has.
pub(crate) fn fresh_prefix() -> String {
    format!("test-{}", unique())
}

/// A server of this test alone.
pub(crate) struct Private {
    port: u16,
    child: Option<Child>,
}

impl Private {
    pub(crate) async fn start() -> Self {
        let mut server = Self {
            port: free_port(),
            child: None,
        };
        server.restart().await;
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill(&mut child);
        }
    }

    /// Starts it again, with nothing in it.
    pub(crate) async fn restart(&mut self) {
        let child = Command::new("redis-server")
            .args([
                "--port",
                &self.port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let deadline = Instant::now() + Duration::from_secs(10);
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            assert!(Instant::now() < deadline, "redis-server did not start");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.kill();
    }
}
