//! Making a gateway.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::{Gateway, Limits, Local, TrustedProxies};
use crate::http::cors::Cors;
use crate::http::outbound::OnResponse;
use crate::http::routes::{RouteTable, Routes};
use crate::http::shield::Shield;
use crate::security::denials::OnDenied;
use crate::security::{CallTokens, Gatekeeper, PublicOnly, RateLimits};
use crate::telemetry::Tracer;

impl Gateway {
    /// A gateway that serves public routes of this table with the default [`Limits`].
    #[must_use]
    pub fn new(routes: Arc<Routes>) -> Self {
        Self {
            routes,
            locals: Vec::new(),
            gatekeeper: Arc::new(PublicOnly),
            rates: Arc::new(RateLimits::none()),
            denied: None,
            cors: None,
            shield: Shield::new(),
            own: RouteTable::default(),
            calls: None,
            observer: None,
            tracer: Tracer::off(),
            proxies: TrustedProxies::default(),
            limits: Limits::default(),
            in_flight: AtomicUsize::new(0),
        }
    }

    /// Adds something that the host serves itself; asked in the order of adding.
    #[must_use]
    pub fn with_local(mut self, local: Arc<dyn Local>) -> Self {
        self.locals.push(local);
        self
    }

    /// Decides who may call, in place of [`PublicOnly`].
    #[must_use]
    pub fn with_gatekeeper(mut self, gatekeeper: Arc<dyn Gatekeeper>) -> Self {
        self.gatekeeper = gatekeeper;
        self
    }

    /// Counts calls; by default nobody does.
    #[must_use]
    pub fn with_rate_limits(mut self, rates: Arc<RateLimits>) -> Self {
        self.rates = rates;
        self
    }

    /// Hears of calls that were refused for their caller or their number.
    #[must_use]
    pub fn with_denials(mut self, denied: Arc<dyn OnDenied>) -> Self {
        self.denied = Some(denied);
        self
    }

    /// Lets pages of other origins call.
    #[must_use]
    pub fn with_cors(mut self, cors: Option<Cors>) -> Self {
        self.cors = cors;
        self
    }

    /// Adds header fields that tell browsers to be careful.
    #[must_use]
    pub fn with_shield(mut self, shield: Shield) -> Self {
        self.shield = shield;
        self
    }

    /// Serves routes of the host's own under their policies, where no module has one.
    #[must_use]
    pub fn with_own(mut self, own: RouteTable) -> Self {
        self.own = own;
        self
    }

    /// Believes calls between modules of this host who they say is calling, when they have one of these tokens.
    #[must_use]
    pub fn with_calls(mut self, calls: Arc<CallTokens>) -> Self {
        self.calls = Some(calls);
        self
    }

    /// Hears of each finished call.
    #[must_use]
    pub fn with_observer(mut self, observer: Arc<dyn OnResponse>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// Makes a span of each request, but of those that the host answers itself.
    #[must_use]
    pub fn with_tracer(mut self, tracer: Tracer) -> Self {
        self.tracer = tracer;
        self
    }

    /// Sets the limits of requests and connections.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Names the proxies whose `x-request-id` and forwarding headers are believed.
    #[must_use]
    pub fn with_trusted_proxies(mut self, proxies: TrustedProxies) -> Self {
        self.proxies = proxies;
        self
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway")
            .field("limits", &self.limits)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}
