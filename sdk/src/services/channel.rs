//! Clients of other modules.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;
use wharf_bridge::body::Scope;
use wharf_bridge::{Context, Incoming, PendingCall, RemoteService, Started};
use wharf_plugin_api::Fault;
use wharf_plugin_api::services::channel::{Behalf, ChannelRef};

use crate::bridge::core::Core;
use crate::bridge::scope::{self, CallScope};

const GRPC: u8 = 1;

/// A gRPC channel to another module. Give it to a client that tonic generated: `IdentityClient::new(ctx.channel("identity")?)`.
///
/// When the module runs in this process a call goes straight to it, without a socket. Request id, trace and deadline of the
/// current call travel along. A module that is not running answers with `UNAVAILABLE`.
#[derive(Clone)]
pub struct Channel {
    core: Arc<Core>,
    remote: Arc<RemoteService>,
}

impl Channel {
    pub(crate) fn open(core: &Arc<Core>, module: &str, behalf: Behalf) -> Result<Self, Fault> {
        let service: ChannelRef = core.import()?;
        let remote = RemoteService::new(service.open(module.into(), behalf).into_result()?)?;
        Ok(Self {
            core: core.clone(),
            remote: Arc::new(remote),
        })
    }
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Channel")
    }
}

impl<B> Service<Request<B>> for Channel
where
    B: Body<Data = Bytes, Error: std::fmt::Display> + Send + Unpin + 'static,
{
    type Response = Response<Incoming>;
    type Error = Fault;
    type Future = Calling<B>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Calling<B> {
        let scope = scope::current_call(|call| call.clone()).unwrap_or_else(|| CallScope::detached(self.core.clone()));
        Calling {
            remote: self.remote.clone(),
            // What travels is what came: the host adds who calls.
            context: scope.context.copy(),
            state: State::New(Box::new((request, scope))),
        }
    }
}

/// A call under way.
pub struct Calling<B> {
    remote: Arc<RemoteService>,
    context: Context,
    state: State<B>,
}

enum State<B> {
    New(Box<(Request<B>, CallScope)>),
    Pending(PendingCall),
    Done,
}

impl<B> Future for Calling<B>
where
    B: Body<Data = Bytes, Error: std::fmt::Display> + Send + Unpin + 'static,
    CallScope: Scope,
{
    type Output = Result<Response<Incoming>, Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        match std::mem::replace(&mut this.state, State::Done) {
            State::New(new) => {
                let (request, scope) = *new;
                let (head, body) = request.into_parts();
                let mut head = Request::from_parts(head, ());
                match this.remote.start(cx, GRPC, &mut head, body, &this.context.view(), scope) {
                    Started::Ready(result) => return Poll::Ready(result),
                    Started::Pending(pending) => this.state = State::Pending(pending),
                }
            }
            State::Pending(mut pending) => {
                if let Poll::Ready(result) = Pin::new(&mut pending).poll(cx) {
                    return Poll::Ready(result);
                }
                this.state = State::Pending(pending);
            }
            State::Done => {}
        }
        Poll::Pending
    }
}

impl<B> Unpin for Calling<B> {}

impl<B> std::fmt::Debug for Calling<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Calling")
    }
}
