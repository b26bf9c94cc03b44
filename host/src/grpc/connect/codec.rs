//! Messages: JSON to protobuf and back, and the five bytes before a gRPC message.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use prost::Message;
use prost_reflect::{DeserializeOptions, DynamicMessage, MethodDescriptor};
use serde_path_to_error::{Deserializer, Track};

use crate::http::body::Body;
use crate::http::gateway::Refusal;
use crate::http::problem::ErrorKind;

/// Reads a JSON message as the canonical mapping says (64-bit integers as strings or numbers, enums by name or number,
/// well-known types in their special forms) and writes it as protobuf.
pub(super) fn json_to_wire(method: &MethodDescriptor, json: &[u8]) -> Result<Bytes, Refusal> {
    let input = method.input();
    let name = input.full_name().to_owned();
    let mut reader = serde_json::Deserializer::from_slice(json);
    let mut track = Track::new();
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    let message = DynamicMessage::deserialize_with_options(input, Deserializer::new(&mut reader, &mut track), &options);
    let message = message.and_then(|message| reader.end().map(|()| message)).map_err(|error| {
        let path = track.path().to_string();
        let place = if path == "." { String::new() } else { format!("field {path}: ") };
        Refusal::new(ErrorKind::BadRequest, format!("found JSON that is not a {name}: {place}{error}"))
    })?;
    Ok(message.encode_to_vec().into())
}

/// The JSON of an answer.
pub(super) fn to_json(method: &MethodDescriptor, message: Bytes) -> Result<Bytes, Refusal> {
    let unfit = |error: &dyn std::fmt::Display| {
        tracing::warn!(target: "wharf::grpc", { grpc.method = method.full_name(), error = %error }, "an answer does not fit its descriptor");
        Refusal::new(ErrorKind::Internal, "the module's answer does not fit its descriptor")
    };
    let message = DynamicMessage::decode(method.output(), message).map_err(|error| unfit(&error))?;
    let json = serde_json::to_vec(&message).map_err(|error| unfit(&error))?;
    Ok(Bytes::from(json))
}

/// A gRPC message: not compressed, length, bytes.
pub(super) fn frame(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(message.len() + 5);
    framed.put_u8(0);
    // Messages are limited to far less than 4 GiB before they come here.
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.put_slice(message);
    framed.freeze()
}

/// The successful answer.
pub(super) fn response(method: &MethodDescriptor, message: Bytes, json: bool) -> Result<Response<Body>, Refusal> {
    let (body, content_type) = if json {
        (to_json(method, message)?, "application/json")
    } else {
        (message, "application/proto")
    };
    let mut response = Response::new(Body::full(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Ok(response)
}
