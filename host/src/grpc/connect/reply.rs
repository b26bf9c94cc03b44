//! Reading the answer of a unary gRPC call.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::BodyExt;
use prost::Message;

use crate::http::body::Body;
use crate::http::gateway::Refusal;
use crate::http::problem::{ErrorKind, GRPC_MESSAGE, GRPC_STATUS};

/// The whole answer of one call.
pub(super) struct Reply {
    pub(super) code: i32,
    pub(super) text: String,
    pub(super) details: Vec<(String, Bytes)>,
    pub(super) message: Option<Bytes>,
    pub(super) headers: HeaderMap,
    pub(super) trailers: HeaderMap,
}

/// `google.rpc.Status`, which `grpc-status-details-bin` carries.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<RpcDetail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct RpcDetail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

impl Reply {
    /// Reads an answer to its end; at most one message of at most `limit` bytes is taken.
    pub(super) async fn read(response: Response<Body>, limit: u64) -> Result<Self, Refusal> {
        let (head, mut body) = response.into_parts();
        let mut reply = Self {
            code: 2,
            text: String::new(),
            details: Vec::new(),
            message: None,
            headers: head.headers,
            trailers: HeaderMap::new(),
        };
        if head.status != StatusCode::OK {
            reply.code = code_of_http(head.status);
            reply.text = format!("the module answered a gRPC call with HTTP status {}", head.status.as_u16());
            return Ok(reply);
        }
        if reply.headers.contains_key(GRPC_STATUS) {
            // Trailers only: what would be trailing metadata came in the head.
            reply.trailers = std::mem::take(&mut reply.headers);
        } else {
            let mut bytes = BytesMut::new();
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|_| Refusal::new(ErrorKind::Internal, "the module's answer broke off"))?;
                match frame.into_data() {
                    Ok(data) if (bytes.len() + data.len()) as u64 > limit.saturating_add(5) => {
                        return Err(Refusal::new(
                            ErrorKind::BodyTooLarge,
                            format!("found an answer of more than {limit} bytes"),
                        ));
                    }
                    Ok(data) => bytes.extend_from_slice(&data),
                    Err(frame) => reply.trailers = frame.into_trailers().unwrap_or_default(),
                }
            }
            reply.message = unframe(bytes.freeze())?;
        }
        reply.read_status();
        Ok(reply)
    }

    fn read_status(&mut self) {
        let text = |name| self.trailers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
        let Some(code) = text(GRPC_STATUS).and_then(|code| code.parse().ok()) else {
            "the module's answer has no grpc-status".clone_into(&mut self.text);
            return;
        };
        self.code = code;
        self.text = text(GRPC_MESSAGE).map(percent_decode).unwrap_or_default();
        if code == 0 && self.message.is_none() {
            self.code = 13;
            "the module's answer has no message".clone_into(&mut self.text);
        }
        if let Some(details) = self.trailers.get("grpc-status-details-bin") {
            self.details = read_details(details.as_bytes()).unwrap_or_default();
        }
    }
}

fn unframe(mut bytes: Bytes) -> Result<Option<Bytes>, Refusal> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let broken = |what: &str| Refusal::new(ErrorKind::Internal, format!("the module's answer is not one gRPC message: {what}"));
    if bytes.len() < 5 {
        return Err(broken("its head is cut short"));
    }
    if bytes.get_u8() != 0 {
        return Err(broken("it is compressed, and nobody asked for that"));
    }
    let length = bytes.get_u32() as usize;
    if bytes.len() != length {
        return Err(broken("its length is wrong"));
    }
    Ok(Some(bytes))
}

fn read_details(header: &[u8]) -> Option<Vec<(String, Bytes)>> {
    use base64::Engine as _;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&base64::alphabet::STANDARD, lenient).decode(header).ok()?;
    let status = RpcStatus::decode(bytes.as_slice()).ok()?;
    let name = |url: &str| url.rsplit('/').next().unwrap_or(url).to_owned();
    Some(
        status
            .details
            .into_iter()
            .map(|detail| (name(&detail.type_url), detail.value))
            .collect(),
    )
}

/// What a gRPC client makes of an HTTP status without a gRPC status (gRPC, "HTTP to gRPC Status Code Mapping").
fn code_of_http(status: StatusCode) -> i32 {
    match status.as_u16() {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502..=504 => 14,
        _ => 2,
    }
}

fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%')
            .then(|| {
                after
                    .get(..2)
                    .and_then(|hex| std::str::from_utf8(hex).ok())
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            })
            .flatten();
        match escaped {
            Some(byte) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_percent_decoded_leniently() {
        assert_eq!(percent_decode("100%25 caf%C3%A9 %zz %"), "100% café %zz %");
    }
}
