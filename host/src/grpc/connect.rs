//! The Connect unary protocol: unary gRPC methods called with JSON (or bare protobuf) and a plain POST.
//!
//! The message is transcoded with the module's descriptors and goes to the same endpoint, under the same policy and
//! limits, as a gRPC call would. See the Connect protocol reference, "Unary RPC". Unknown JSON fields are ignored,
//! as in other Connect servers, so that an older module can be called by a newer client; by the rules of protobuf
//! JSON the unknown name of an enum value is then ignored too.

mod codec;
mod direct;
mod metadata;
mod reply;

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, Version};
use http_body_util::BodyExt;
use prost_reflect::MethodDescriptor;

pub use self::direct::{CallFailed, Calls};
use self::reply::Reply;
use crate::http::body::{Body, BoxError};
use crate::http::gateway::{Clock, Gateway, Refusal, strip_target};
use crate::http::inbound::InboundError;
use crate::http::problem::{ErrorKind, GrpcCode, connect_error};
use crate::http::routes::Entry;
use crate::modules::endpoint::CallInfo;

/// Serves one unary call. The route is found and the caller admitted.
pub(crate) async fn serve(
    gateway: &Gateway,
    entry: &Arc<Entry>,
    mut head: Parts,
    body: Body,
    info: CallInfo,
    clock: &Clock,
    json: bool,
) -> Result<Response<Body>, Refusal> {
    check_protocol(&head.headers)?;
    let method = unary(entry)?;
    strip_target(&mut head, "").ok_or_else(|| Refusal::new(ErrorKind::BadRequest, "found a request target that cannot be read"))?;
    let work = async {
        let message = body.collect().await.map_err(|error| unreadable(&error))?.to_bytes();
        let message = if json { codec::json_to_wire(&method, &message)? } else { message };
        let request = grpc_request(head, message, clock.explicit);
        let responding = gateway.enter(Arc::clone(entry), request, &info).await?;
        Reply::read(responding.await, gateway.message_bytes()).await
    };
    let mut work = std::pin::pin!(work);
    let reply = clock.limit(work.as_mut()).await;
    answer(
        reply.unwrap_or_else(|| Err(Refusal::new(ErrorKind::Deadline, "the call took longer than its deadline")))?,
        &method,
        json,
    )
}

fn check_protocol(headers: &HeaderMap) -> Result<(), Refusal> {
    if let Some(version) = headers.get("connect-protocol-version")
        && version != "1"
    {
        return Err(Refusal::new(
            ErrorKind::BadRequest,
            format!("found connect-protocol-version {version:?}, expected \"1\""),
        ));
    }
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && encoding != "identity"
    {
        return Err(Refusal::new(
            ErrorKind::NotImplemented,
            format!("found content-encoding {encoding:?}, expected \"identity\""),
        ));
    }
    Ok(())
}

fn unary(entry: &Entry) -> Result<MethodDescriptor, Refusal> {
    let Some(method) = entry.rpc.clone() else {
        return Err(Refusal::new(
            ErrorKind::NotImplemented,
            "the module brings no descriptor of this method, expected a gRPC client",
        ));
    };
    if method.is_client_streaming() || method.is_server_streaming() {
        return Err(Refusal::new(
            ErrorKind::NotImplemented,
            format!(
                "{} streams, and only unary methods can be called with a plain POST; use a gRPC client",
                method.full_name()
            ),
        ));
    }
    Ok(method)
}

/// The same call as a gRPC request. `head.uri` is already the path of the method.
fn grpc_request(head: Parts, message: Bytes, deadline: Option<Instant>) -> Request<Body> {
    let mut request = Request::new(Body::full(codec::frame(&message)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = head.uri;
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = metadata::to_grpc(head.headers, deadline.map(|at| at.saturating_duration_since(Instant::now())));
    *request.extensions_mut() = head.extensions;
    request
}

fn answer(reply: Reply, method: &MethodDescriptor, json: bool) -> Result<Response<Body>, Refusal> {
    let mut response = match reply.message {
        Some(message) if reply.code == 0 => codec::response(method, message, json)?,
        _ => connect_error(reply.code, &reply.text, &reply.details),
    };
    metadata::from_grpc(response.headers_mut(), reply.headers, reply.trailers);
    response.extensions_mut().insert(GrpcCode(reply.code));
    Ok(response)
}

fn unreadable(error: &BoxError) -> Refusal {
    match error.downcast_ref::<InboundError>() {
        Some(too_much @ InboundError::TooLarge { .. }) => Refusal::new(ErrorKind::BodyTooLarge, too_much.to_string()),
        Some(too_slow @ InboundError::TooSlow { .. }) => Refusal::new(ErrorKind::RequestTimeout, too_slow.to_string()),
        None => Refusal::new(ErrorKind::BadRequest, "the request body could not be read to its end"),
    }
}
