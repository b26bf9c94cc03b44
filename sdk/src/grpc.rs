//! gRPC services: tonic's, as they are.

use std::convert::Infallible;

use axum::Router;
use axum::response::IntoResponse;
use http::Request;
use tonic::server::NamedService;
use tower_service::Service;

/// gRPC services of a module.
///
/// The policy of each method is an option in its `.proto` file; the host reads it from the descriptor set named in `wharf.toml`.
#[derive(Debug, Default)]
#[must_use]
pub struct Grpc(tonic::service::RoutesBuilder, Vec<&'static str>);

impl Grpc {
    /// No services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service that tonic generated, such as `GreeterServer::from_arc(self.clone())`.
    pub fn serve<S>(mut self, service: S) -> Self
    where
        S: Service<Request<tonic::body::Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.0.add_service(service);
        self.1.push(S::NAME);
        self
    }

    pub(crate) fn into_router(self) -> Router {
        self.0.routes().into_axum_router()
    }
}
