//! Takes requests for an instance: its axum router and its tonic services behind one table.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use axum::Router;
use axum::body::Body;
use axum::routing::future::RouteFuture;
use http::{Request, Response};
use tower_service::Service;
use wharf_bridge::{Incoming, Received, Serve};

use super::core::Core;
use super::scope::{self, CallScope};

const GRPC: u8 = 1;

/// Both lanes of an instance.
pub(crate) struct Lanes {
    pub(crate) core: Arc<Core>,
    pub(crate) http: Router,
    pub(crate) grpc: Router,
}

/// axum's future without its impossible error.
pub(crate) struct Handling(RouteFuture<Infallible>);

/// The routers hold the module, and may be the last to do so: its drop runs as the instance.
impl Drop for Lanes {
    fn drop(&mut self) {
        let core = Arc::clone(&self.core);
        let _entered = scope::enter(&core, None);
        drop((std::mem::take(&mut self.http), std::mem::take(&mut self.grpc)));
    }
}

impl Serve for Lanes {
    type RequestBody = Body;
    type Body = Body;
    type Future = Handling;
    type Call = CallScope;

    #[inline]
    fn begin(self: &Arc<Self>, context: Received) -> CallScope {
        CallScope {
            core: self.core.clone(),
            context,
            is_own: false,
        }
    }

    #[inline]
    fn body(incoming: Incoming) -> Body {
        match incoming {
            Incoming::Empty => Body::empty(),
            Incoming::Full(Some(bytes)) => Body::from(bytes),
            other => Body::new(other),
        }
    }

    #[inline]
    fn call(&self, _: &CallScope, lane: u8, request: Request<Body>) -> Handling {
        // axum asks for `&mut` and changes nothing: a clone is one count.
        let mut router = if lane == GRPC { self.grpc.clone() } else { self.http.clone() };
        Handling(router.call(request))
    }
}

impl Future for Handling {
    type Output = Response<Body>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Response<Body>> {
        Pin::new(&mut self.0).poll(cx).map(|result| match result {
            Ok(response) => response,
            Err(never) => match never {},
        })
    }
}
