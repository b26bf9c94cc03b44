//! A gRPC client of a module, over the host's own mesh, in the name of the host.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use tower_service::Service;
use wharf_proto::auth::v1::CheckApiKeyRequest;
use wharf_proto::auth::v1::tokens_client::TokensClient;

use crate::http::body::Body;
use crate::http::request_id::{RequestId, random_u64};
use crate::modules::belongings::Belongings;
use crate::modules::endpoint::CallInfo;
use crate::security::authenticate::{ApiKey, CheckApiKey, KeyFault};
use crate::security::principal::Principal;
use crate::services::Channels;

/// How long a module may take to say whose API key it is.
const PATIENCE: Duration = Duration::from_secs(5);

/// What generated clients take.
#[derive(Clone)]
pub(crate) struct MeshClient {
    channels: Arc<dyn Channels>,
    module: &'static str,
    host: Principal,
}

impl MeshClient {
    pub(crate) fn new(channels: Arc<dyn Channels>, module: &'static str) -> Self {
        Self {
            channels,
            module,
            host: Principal::host(),
        }
    }
}

impl Service<Request<tonic::body::Body>> for MeshClient {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        let trace = (u128::from(random_u64()) << 64) | u128::from(random_u64());
        let info = CallInfo {
            request_id: RequestId::random(),
            trace_id: trace.to_be_bytes(),
            span_id: random_u64().to_be_bytes(),
            trace_flags: 0,
            peer: None,
            deadline: None,
            deadline_is_named: false,
            caller: None,
            principal: self.host.clone(),
            belongings: Belongings::default(),
        };
        let answer = self.channels.call(self.module, request.map(Body::new), info);
        Box::pin(async { Ok(answer.await) })
    }
}

impl CheckApiKey for MeshClient {
    fn check<'a>(&'a self, key: &'a str) -> Pin<Box<dyn Future<Output = Result<ApiKey, KeyFault>> + Send + 'a>> {
        Box::pin(async move {
            let asked = CheckApiKeyRequest { key: key.to_owned() };
            let mut request = tonic::Request::new(asked);
            request.set_timeout(PATIENCE);
            match TokensClient::new(self.clone()).check_api_key(request).await {
                Ok(answer) => {
                    let found = answer.into_inner();
                    Ok(ApiKey {
                        id: found.id,
                        subject: found.subject,
                        tenant: found.tenant,
                        name: found.name,
                        scopes: found.scopes,
                        expires: found.expires.map(|at| at.seconds),
                    })
                }
                Err(status) if status.code() == tonic::Code::NotFound => Err(KeyFault::Unknown),
                Err(status) => {
                    tracing::warn!(
                        grpc.status = status.code() as i32,
                        "an API key cannot be checked: {}",
                        status.message()
                    );
                    Err(KeyFault::Unavailable)
                }
            }
        })
    }
}
