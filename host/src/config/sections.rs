//! The sections of `wharf-host.toml`, with their defaults.

mod blobs;
mod cache;
mod database;
mod mail;
mod security;
mod tracing;
mod work;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use blobs::{BlobStoreKind, Blobs, S3};
pub use cache::{Cache, Errors, Secrets, Signals};
pub use database::{SpaceDurability, SpaceRoles, Spaces};
pub use mail::{Mail, MailTransport, SmtpProtection, SmtpServer};
pub use security::{Audit, Cors, Frames, Headers, OnFailure, RateClass, RateLimits, Security};
pub use tracing::{Otlp, OtlpProtocol, Tracing};
pub use work::{Events, Scheduler};

use super::units::{ByteSize, Network, Period, PublicUrl, Secret};
use crate::domain::trust::TrustPolicy;

/// This running host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    /// Name in status, logs and the table of nodes; unique among hosts that share a database. Default: the machine's host name.
    pub name: String,
}

/// Where modules come from and what they must prove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Plugins {
    /// Folder with the libraries. Default: `plugins` in `data_dir`.
    pub dir: Option<PathBuf>,
    /// Load what appears or changes in the folder without being asked.
    pub watch: bool,
    /// Run modules nobody has decided about yet; otherwise they wait for `wharf modules enable`.
    pub auto_enable: bool,
    /// Which libraries may be opened.
    pub trust: TrustPolicy,
    /// Names of system libraries a module may need, beside the C library's own (`libz.so.1`).
    pub allow_libs: Vec<String>,
    /// Larger files are refused.
    pub max_file_size: ByteSize,
    /// How long an old instance may finish what is in flight.
    pub drain_timeout: Period,
    /// How long create, start and the first health check may take, each.
    pub start_timeout: Period,
    /// How long stop and drop may take, each.
    pub stop_timeout: Period,
    /// A load is refused when fewer pthread keys than this would be left.
    pub reserve_thread_keys: u32,
    /// When a module that fails too often is taken out.
    pub quarantine: Quarantine,
}

/// When a module that fails too often is taken out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Quarantine {
    /// This many panics...
    pub panics: u32,
    /// ...within this time.
    pub window: Period,
    /// One poll of a future longer than this marks the module: it should not block its thread.
    pub slow_poll: Period,
    /// One poll longer than this takes it out.
    pub stuck_poll: Period,
}

/// The public listener: HTTP/1.1, HTTP/2 and gRPC on one port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Address and port. Port 0 takes any free one.
    pub listen: SocketAddr,
    /// Replaces only the port of `listen` (`WHARF_HTTP__PORT`).
    pub port: Option<u16>,
    /// Certificate and key; plain HTTP without.
    pub tls: Option<Tls>,
    /// Where people and programs reach the public listener, such as `https://wharf.example.org`: links and the issuer of tokens begin
    /// with it. All nodes of an installation need the same. Default: the address that is listened on.
    pub public_url: Option<PublicUrl>,
    /// How long a client may take to send a request head; on HTTP/1.1 also how long a connection may wait for the next request.
    pub header_timeout: Period,
    /// Longest request head.
    pub max_header_bytes: ByteSize,
    /// Longest request body.
    pub max_body_bytes: ByteSize,
    /// How long an HTTP/2 connection may be open without a request.
    pub idle_timeout: Period,
    /// How long a client may take to send the next KiB of a body, and how long it may refuse to read what is sent to it.
    pub body_idle_timeout: Period,
    /// Connections at once; more wait to be accepted.
    pub max_connections: u32,
    /// Calls in flight in one module; more are answered 503.
    pub max_in_flight_per_module: u32,
    /// How long a module may take until the head of its response.
    pub request_timeout: Period,
    /// Peers whose `Forwarded`, `X-Forwarded-*` and `X-Request-Id` headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// Which pages of other origins may call.
    pub cors: Cors,
    /// Header fields that tell browsers to be careful.
    pub headers: Headers,
    /// Whether `/openapi.json` and the page `/docs` are on this listener too, for anyone. On by default with `--dev`; the management
    /// listener always has them.
    pub docs: bool,
}

/// Certificate and key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificate chain, leaf first.
    pub cert: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// The listener for metrics, readiness details and reflection. It has no authentication of its own: keep it private.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Management {
    /// Whether to listen at all.
    pub enabled: bool,
    /// Address and port.
    pub listen: SocketAddr,
}

/// The admin socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// Path of the Unix socket. Default: `admin/wharf.sock` in `data_dir`.
    pub socket: Option<PathBuf>,
    /// Whether the admin API is on the public listener too, below `/admin/v1`, for callers who hold its permissions.
    pub remote: bool,
}

/// The log on standard output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Directives: a level, then `TARGET=LEVEL` or `MODULE=LEVEL`, separated by commas: `info,blog=debug`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people; colours only on a terminal.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// How modules call each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Channel {
    /// Straight or over a socket.
    pub mode: ChannelMode,
}

/// Straight or over a socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelMode {
    /// Straight to the callee's export.
    #[default]
    InProcess,
    /// Every call over a real socket, as if the callee were elsewhere.
    Loopback,
}

/// What happens on SIGTERM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Shutdown {
    /// The process has ended after this time, drained or not.
    pub deadline: Period,
}

/// The databases: the host's own, and those of modules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Database {
    /// `sqlite://PATH`, or `postgres://USER@HOST/DATABASE`, which several nodes may share. Default: `host.sqlite` in `data_dir`.
    pub url: Option<Secret>,
    /// Where modules keep their data: in SQLite files in `data_dir`, or in schemas of `url` when that is PostgreSQL.
    pub modules: Spaces,
}

impl Http {
    /// Where the public listener is reached, without a slash at the end: what is set, or `listen`, as programs of this machine see it.
    #[must_use]
    pub fn reached_at(&self) -> String {
        if let Some(url) = &self.public_url {
            return url.as_str().to_owned();
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut address = self.address();
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("{scheme}://{address}")
    }

    /// `listen`, with `port` in its place if that is set.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        let mut address = self.listen;
        if let Some(port) = self.port {
            address.set_port(port);
        }
        address
    }
}

impl Default for Node {
    fn default() -> Self {
        Self { name: host_name() }
    }
}

impl Default for Plugins {
    fn default() -> Self {
        Self {
            dir: None,
            watch: false,
            auto_enable: false,
            trust: TrustPolicy::default(),
            allow_libs: Vec::new(),
            max_file_size: ByteSize::mib(256),
            drain_timeout: Period::secs(20),
            start_timeout: Period::secs(30),
            stop_timeout: Period::secs(5),
            reserve_thread_keys: 64,
            quarantine: Quarantine::default(),
        }
    }
}

impl Default for Quarantine {
    fn default() -> Self {
        Self {
            panics: 5,
            window: Period::secs(60),
            slow_poll: Period::millis(100),
            stuck_poll: Period::secs(5),
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: loopback(8080),
            port: None,
            tls: None,
            public_url: None,
            header_timeout: Period::secs(10),
            max_header_bytes: ByteSize::kib(64),
            max_body_bytes: ByteSize::mib(128),
            idle_timeout: Period::secs(75),
            body_idle_timeout: Period::secs(30),
            max_connections: 10_000,
            max_in_flight_per_module: 1_000,
            request_timeout: Period::secs(60),
            trusted_proxies: Vec::new(),
            cors: Cors::default(),
            headers: Headers::default(),
            docs: false,
        }
    }
}

impl Default for Management {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: loopback(9090),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            deadline: Period::secs(25),
        }
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// The machine's name where the system tells it in a file; `wharf` elsewhere.
fn host_name() -> String {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .map(|name| name.trim().to_owned())
        .find(|name| !name.is_empty())
        .unwrap_or_else(|| "wharf".to_owned())
}
