//! Everything a host can keep its things in, as private servers, and the settings that lead to them.

use tempfile::TempDir;

use crate::backends::Backend;
use crate::server::TestServer;
use crate::shared::master_key;
use crate::workspace::scratch;

/// Private servers for hosts of one installation.
#[derive(Debug)]
pub struct Stage {
    servers: Vec<Backend>,
    settings: Vec<(&'static str, String)>,
    _key: TempDir,
}

impl Stage {
    /// PostgreSQL, Redis, RabbitMQ, S3 and SMTP.
    ///
    /// # Panics
    /// When one of them does not start.
    #[must_use]
    pub fn start() -> Self {
        let servers = Backend::start_all(&[]).expect("the servers start");
        let variables: Vec<_> = servers.iter().flat_map(Backend::variables).collect();
        let of = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.clone()).expect("the harness sets it")
        };
        let key = scratch("key");
        let smtp = of("WHARF_TEST_SMTP_URL");
        let (host, port) = smtp
            .rsplit_once("//")
            .and_then(|(_, rest)| rest.split_once(':'))
            .expect("an address");
        let settings = vec![
            ("WHARF_DATABASE__URL", of("WHARF_TEST_POSTGRES_URL")),
            ("WHARF_CACHE__URL", of("WHARF_TEST_REDIS_URL")),
            ("WHARF_SIGNALS__REDIS_URL", of("WHARF_TEST_REDIS_URL")),
            ("WHARF_EVENTS__AMQP_URL", of("WHARF_TEST_AMQP_URL")),
            ("WHARF_BLOBS__STORE", "s3".to_owned()),
            ("WHARF_BLOBS__S3__ENDPOINT", of("WHARF_TEST_S3_URL")),
            ("WHARF_BLOBS__S3__BUCKET", of("WHARF_TEST_S3_BUCKET")),
            ("WHARF_BLOBS__S3__KEY", of("WHARF_TEST_S3_KEY")),
            ("WHARF_BLOBS__S3__SECRET", of("WHARF_TEST_S3_SECRET")),
            ("WHARF_MAIL__TRANSPORT", "smtp".to_owned()),
            ("WHARF_MAIL__SMTP__SECURITY", "plain".to_owned()),
            ("WHARF_MAIL__SMTP__HOST", host.to_owned()),
            ("WHARF_MAIL__SMTP__PORT", port.trim_end_matches('/').to_owned()),
            // Every guest is thanked.
            ("WHARF_MAIL__RATE_PER_MINUTE", "1000000".to_owned()),
            ("WHARF_MASTER_KEY_FILE", master_key(&key).display().to_string()),
        ];
        Self {
            servers,
            settings,
            _key: key,
        }
    }

    /// A host with the guest book on these servers.
    #[must_use]
    pub fn node(&self, name: &str, more: &[(&str, &str)]) -> TestServer {
        super::start("", &[&self.environment(name)[..], more].concat())
    }

    /// What leads a host of that name to these servers.
    #[must_use]
    pub fn environment<'a>(&'a self, name: &'a str) -> Vec<(&'a str, &'a str)> {
        let settings = self.settings.iter().map(|(name, value)| (*name, value.as_str()));
        settings.chain([("WHARF_NODE__NAME", name), super::SALT]).collect()
    }

    /// One of the servers, by its name.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn server(&mut self, name: &str) -> &mut Backend {
        let found = self.servers.iter_mut().find(|server| server.name() == name);
        found.expect("a server of that name")
    }
}
