//! Health, reflection and the status of the host as something that a listener serves.

use std::convert::Infallible;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use tonic_health::pb::health_server::HealthServer;
use tonic_reflection::pb::v1::server_reflection_server::ServerReflectionServer;
use tower_service::Service;
use wharf_proto::host::v1::host_server::HostServer;

use super::health::{Health, HealthService};
use super::reflection::ReflectionService;
use super::status::HostService;
use crate::http::body::Body;
use crate::http::gateway::Local;
use crate::http::routes::Routes;
use crate::modules::control::Control;
use crate::modules::endpoint::Responding;

/// The gRPC services that the host serves itself.
pub const OWN_SERVICES: [&str; 4] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "wharf.host.v1.Host",
];

/// gRPC health v1 and, unless left out, reflection v1 and v1alpha. Reflection shows every message that modules
/// understand, so the public listener gets it only when the operator asks.
pub struct Surfaces {
    health: HealthServer<HealthService>,
    reflection: Option<ServerReflectionServer<ReflectionService>>,
    status: Option<HostServer<HostService>>,
}

impl Surfaces {
    /// Health and reflection: for the management listener.
    #[must_use]
    pub fn new(routes: &Arc<Routes>, health: Health) -> Self {
        let reflection = ServerReflectionServer::new(ReflectionService::new(Arc::clone(routes)));
        Self {
            reflection: Some(reflection),
            ..Self::health_only(routes, health)
        }
    }

    /// Health without reflection: for the public listener.
    #[must_use]
    pub fn health_only(routes: &Arc<Routes>, health: Health) -> Self {
        Self {
            health: HealthServer::new(HealthService {
                routes: Arc::clone(routes),
                health,
            }),
            reflection: None,
            status: None,
        }
    }

    /// With the status of the host and its modules, `wharf.host.v1.Host`: for the management listener.
    #[must_use]
    pub fn with_status(mut self, control: Arc<dyn Control>) -> Self {
        self.status = Some(HostServer::new(HostService(control)));
        self
    }
}

impl Local for Surfaces {
    fn call(&self, mut request: Request<Body>) -> Result<Responding, Box<Request<Body>>> {
        let is_grpc = request
            .headers()
            .get(http::header::CONTENT_TYPE)
            .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"));
        let Some((service, method)) = request.uri().path().strip_prefix('/').and_then(|path| path.split_once('/')) else {
            return Err(Box::new(request));
        };
        if let ("wharf.host.v1.Host", true, Some(server)) = (service, is_grpc, &self.status) {
            return Ok(respond(server.clone(), request));
        }
        match (service, &self.reflection) {
            _ if !is_grpc => Err(Box::new(request)),
            ("grpc.health.v1.Health", _) => Ok(respond(self.health.clone(), request)),
            ("grpc.reflection.v1.ServerReflection", Some(server)) => Ok(respond(server.clone(), request)),
            ("grpc.reflection.v1alpha.ServerReflection", Some(server)) => {
                // The messages of v1alpha are those of v1, so only the name differs.
                let path = format!("/grpc.reflection.v1.ServerReflection/{method}");
                let Ok(path) = PathAndQuery::from_maybe_shared(path) else {
                    return Err(Box::new(request));
                };
                *request.uri_mut() = Uri::from(path);
                Ok(respond(server.clone(), request))
            }
            _ => Err(Box::new(request)),
        }
    }
}

impl std::fmt::Debug for Surfaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surfaces")
            .field("reflection", &self.reflection.is_some())
            .finish_non_exhaustive()
    }
}

fn respond<S>(mut server: S, request: Request<Body>) -> Responding
where
    S: Service<Request<Body>, Response = Response<tonic::body::Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    let answer = server.call(request);
    Box::pin(async move {
        match answer.await {
            Ok(response) => response.map(Body::new),
            Err(never) => match never {},
        }
    })
}
