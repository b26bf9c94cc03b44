//! Servers that the nodes of one installation share: PostgreSQL, Redis for cache and signals, RabbitMQ as transport of events.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::backends::Backend;
use crate::people;
use crate::server::TestServer;
use crate::workspace::scratch;

/// How long what was counted once more would take to show.
const QUIET: Duration = Duration::from_secs(3);

/// The servers, and the settings that lead to them.
#[derive(Debug)]
pub struct Shared {
    servers: Vec<Backend>,
    settings: Vec<(&'static str, String)>,
    _key: TempDir,
}

/// Tells a thread to end, whatever ends the work it belongs to.
struct End<'a>(&'a AtomicBool);

impl Shared {
    /// Starts them.
    ///
    /// # Panics
    /// When one of them does not start.
    #[must_use]
    pub fn start() -> Self {
        let servers = Backend::start_all(&["postgres", "redis", "rabbitmq"]).expect("the servers start");
        let variables: Vec<_> = servers.iter().flat_map(Backend::variables).collect();
        let of = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone()).expect("the harness sets it")
        };
        let key = scratch("key");
        let settings = vec![
            ("WHARF_DATABASE__URL", of("WHARF_TEST_POSTGRES_URL")),
            ("WHARF_CACHE__URL", of("WHARF_TEST_REDIS_URL")),
            ("WHARF_SIGNALS__REDIS_URL", of("WHARF_TEST_REDIS_URL")),
            ("WHARF_EVENTS__AMQP_URL", of("WHARF_TEST_AMQP_URL")),
            ("WHARF_MASTER_KEY_FILE", master_key(&key).display().to_string()),
            // One installation has one issuer of tokens, whatever node they come from.
            ("WHARF_HTTP__PUBLIC_URL", "http://wharf.test".to_owned()),
        ];
        Self {
            servers,
            settings,
            _key: key,
        }
    }

    /// A host of that name, with its core modules and these libraries.
    #[must_use]
    pub fn node(&self, name: &str, modules: &[&str], config: &str) -> TestServer {
        let settings = self.settings.iter().map(|(name, value)| (*name, value.as_str()));
        let environment: Vec<_> = settings.chain([("WHARF_NODE__NAME", name)]).collect();
        people::host(modules, config, &environment)
    }

    /// Kills the broker while `work` is done, as often as there is time for it, and starts it again. Gives how often it was done.
    ///
    /// # Panics
    /// When the broker does not start again, or the work panics.
    pub fn without_broker(&mut self, mut work: impl FnMut(usize) + Send) -> usize {
        let broker = self.servers.iter_mut().find(|server| server.name() == "rabbitmq");
        let broker = broker.expect("it was started");
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let mut times = 0;
                while !done.load(Ordering::Relaxed) {
                    work(times);
                    times += 1;
                    thread::park_timeout(Duration::from_millis(100));
                }
                times
            });
            let end = End(&done);
            broker.kill();
            broker.restart();
            drop(end);
            worker.join().expect("what is done meanwhile works")
        })
    }

    /// A variable of one of the servers.
    ///
    /// # Panics
    /// When none has it.
    #[must_use]
    pub fn variable(&self, name: &str) -> String {
        let mut all = self.servers.iter().flat_map(Backend::variables);
        let found = all.find(|(known, _)| *known == name);
        found.map_or_else(|| panic!("no server has {name}"), |(_, value)| value)
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whether something stays as it is while what is still on its way would arrive.
pub fn stays(mut is_so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + QUIET;
    while Instant::now() < end {
        if !is_so() {
            return false;
        }
        thread::park_timeout(Duration::from_millis(100));
    }
    true
}

/// A key that no other user can read.
pub fn master_key(folder: &TempDir) -> PathBuf {
    let file = folder.path().join("master.key");
    fs::write(&file, format!("{}\n", "5a".repeat(32))).expect("a scratch folder can be written to");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("its file too");
    file
}
