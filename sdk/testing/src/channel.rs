//! A gRPC channel into a host, without a socket.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body as HttpBody;
use tower_service::Service;
use wharf_host::http::body::BoxError;
use wharf_host::http::gateway::Gateway;
use wharf_host::http::outbound::ServedBody;
use wharf_host::security::Principal;

/// What generated clients take: `GreeterClient::new(host.grpc())`. Clones are the same channel.
#[derive(Clone)]
pub struct Channel {
    gateway: Arc<Gateway>,
    principal: Option<Principal>,
}

impl Channel {
    pub(crate) fn new(gateway: Arc<Gateway>) -> Self {
        Self { gateway, principal: None }
    }

    pub(crate) fn in_the_name_of(mut self, principal: Principal) -> Self {
        self.principal = Some(principal);
        self
    }
}

impl<B> Service<Request<B>> for Channel
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ServedBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if let Some(principal) = &self.principal {
            request.extensions_mut().insert(principal.clone());
        }
        let answering = Arc::clone(&self.gateway).handle(request, None);
        Box::pin(async { Ok(answering.await) })
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Channel")
    }
}
