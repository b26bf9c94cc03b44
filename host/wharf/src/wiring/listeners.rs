//! The listeners of a host: public and management, bound here or inherited.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use wharf_host::config::{ChannelMode, Config};
use wharf_host::host::Host;
use wharf_host::http::routes::RouteTable;
use wharf_host::http::server::{Listener, Server, Tls};

use super::docs::DocsPage;

/// Name of the inherited socket for management; any other inherited socket is public.
const MANAGEMENT: &str = "management";

/// Sockets that listen; nothing is accepted yet.
pub(super) struct Listeners {
    public: Listener,
    management: Option<Listener>,
}

/// Listeners that accept.
pub(super) struct Servers {
    public: Server,
    management: Option<Server>,
    tls: Option<Arc<Tls>>,
}

impl Listeners {
    /// Takes inherited sockets (`LISTEN_FDS`), and binds what was not inherited. Connections that arrive from now on wait.
    pub(super) fn bind(config: &Config) -> anyhow::Result<Self> {
        let (mut public, mut management) = (None, None);
        for inherited in Listener::inherited()? {
            tracing::info!(name = inherited.name, address = %inherited.listener.address(), "a listening socket was inherited");
            let place = if inherited.name == MANAGEMENT {
                &mut management
            } else {
                &mut public
            };
            *place = Some(inherited.listener);
        }
        let public = public.map_or_else(|| Listener::bind(config.http.address()), Ok)?;
        let management = match management {
            None if config.management.enabled => Some(Listener::bind(config.management.listen)?),
            other => other,
        };
        Ok(Self { public, management })
    }

    /// The configuration with the address that is listened on in place of the one that was asked for: port 0, or an inherited socket.
    pub(super) fn as_bound(&self, config: &Config) -> Config {
        let mut config = config.clone();
        config.http.listen = self.public.address();
        config.http.port = None;
        config
    }

    /// Begins to accept: the management listener at once, so that probes answer while modules start; the public one too,
    /// with readiness false and 404 or 503 until its modules run.
    pub(super) fn serve(self, host: &Host, config: &Config, own: Option<RouteTable>) -> anyhow::Result<Servers> {
        let tls = config
            .http
            .tls
            .as_ref()
            .map(|tls| Tls::load(&tls.cert, &tls.key))
            .transpose()?
            .map(Arc::new);
        let management = self
            .management
            .map(|listener| Server::start(listener, Arc::new(host.management().with_local(Arc::new(DocsPage::new()))), None));
        let mut gateway = host.gateway();
        if config.http.docs {
            gateway = gateway.with_local(Arc::new(DocsPage::new()));
        }
        if let Some(own) = own {
            gateway = gateway.with_own(own);
        }
        let public = Server::start(self.public, Arc::new(gateway), tls.clone());
        if config.channel.mode == ChannelMode::Loopback {
            if tls.is_some() {
                anyhow::bail!("channel.mode = \"loopback\" needs a public listener without TLS; remove http.tls or the mode");
            }
            host.use_loopback(loopback(public.address()));
        }
        Ok(Servers { public, management, tls })
    }
}

impl Servers {
    /// Where the management listener is, if there is one.
    pub(super) fn management(&self) -> Option<SocketAddr> {
        self.management.as_ref().map(Server::address)
    }

    /// Says where to look.
    pub(super) fn say_where(&self, config: &Config, admin: &Path) {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let public = self.public.address();
        tracing::info!(
            listen = %format!("{scheme}://{public}"),
            management = self.management.as_ref().map(|server| format!("http://{}", server.address())),
            admin.socket = %admin.display(),
            node.name = config.node.name,
            dev = config.is_dev(),
            "host runs"
        );
    }

    /// Reads the certificate files again; with a mistake in them the old ones stay.
    pub(super) fn reload_certificates(&self) {
        if let Some(tls) = &self.tls
            && let Err(error) = tls.reload()
        {
            tracing::error!(error = %error, "the certificate files were not taken; the old ones stay in force");
        }
    }

    /// Stops accepting and lets requests end by the deadline. Returns how many were cut. Management answers to the end.
    pub(super) async fn stop(self, deadline: Instant) -> usize {
        let report = self.public.shutdown(deadline.saturating_duration_since(Instant::now())).await;
        drop(self.management);
        report.cut
    }
}

/// How this host reaches its own listener.
fn loopback(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => SocketAddr::from(([127, 0, 0, 1], v4.port())),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], v6.port())),
        other => other,
    }
}
