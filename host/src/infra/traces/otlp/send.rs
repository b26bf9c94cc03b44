//! One batch to the collector.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use prost::Message as _;
use reqwest::Url;
use tonic::Code;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use super::{OtlpConfig, OtlpError, OtlpWay};

/// Where traces go over HTTP, below the endpoint.
const PATH: &str = "/v1/traces";
/// Longest answer that is read.
const LONGEST_ANSWER: usize = 64 << 10;

/// Why a batch was not sent. Tokens are not in it.
#[derive(Debug)]
pub(super) struct NotSent {
    pub(super) why: String,
    /// Whether the same batch may be taken later: as the specification of OTLP lists them.
    pub(super) may_try_again: bool,
}

/// The way to the collector.
pub(super) enum Sender {
    Grpc {
        client: TraceServiceClient<Channel>,
        headers: HeaderMap,
        timeout: Duration,
    },
    Http {
        client: reqwest::Client,
        url: Url,
    },
}

impl Sender {
    pub(super) fn new(config: &OtlpConfig) -> Result<Self, OtlpError> {
        let wrong = || OtlpError::Endpoint(config.endpoint.clone());
        let mut url = Url::parse(&config.endpoint).map_err(|_| wrong())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong());
        }
        // The one provider of this program; it may be installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let headers: HeaderMap = config.headers.iter().cloned().collect();
        match config.way {
            OtlpWay::Grpc => Ok(Self::Grpc {
                client: TraceServiceClient::new(channel(config, url.scheme() == "https")?),
                headers,
                timeout: config.timeout,
            }),
            OtlpWay::Http => {
                let path = url.path().trim_end_matches('/').to_owned();
                if !path.ends_with(PATH) {
                    url.set_path(&format!("{path}{PATH}"));
                }
                let client = http_client(config, headers)?;
                Ok(Self::Http { client, url })
            }
        }
    }

    /// Sends a batch once. Gives how many spans of it the collector does not want.
    pub(super) async fn send(&self, request: &ExportTraceServiceRequest) -> Result<u64, NotSent> {
        match self {
            Self::Grpc { client, headers, timeout } => {
                let mut request = tonic::Request::new(request.clone());
                *request.metadata_mut() = MetadataMap::from_headers(headers.clone());
                let mut client = client.clone();
                let answer = tokio::time::timeout(*timeout, client.export(request)).await;
                let answer = answer.map_err(|_| late(*timeout))?.map_err(|status| refused_by_grpc(&status))?;
                Ok(rejected(&answer.into_inner()))
            }
            Self::Http { client, url } => {
                let request = client
                    .post(url.clone())
                    .header("content-type", "application/x-protobuf")
                    .body(request.encode_to_vec());
                let answer = request.send().await.map_err(away)?;
                match answer.status() {
                    StatusCode::OK => Ok(read(answer).await),
                    status => Err(NotSent {
                        why: format!("status {}", status.as_u16()),
                        may_try_again: matches!(status.as_u16(), 429 | 502 | 503 | 504),
                    }),
                }
            }
        }
    }
}

fn channel(config: &OtlpConfig, is_tls: bool) -> Result<Channel, OtlpError> {
    let client = |error: tonic::transport::Error| OtlpError::Client(Box::new(error));
    let endpoint = Endpoint::from_shared(config.endpoint.clone()).map_err(|_| OtlpError::Endpoint(config.endpoint.clone()))?;
    let mut endpoint = endpoint.connect_timeout(config.timeout);
    if is_tls {
        let mut tls = ClientTlsConfig::new().with_native_roots();
        if let Some(pem) = &config.ca {
            tls = tls.ca_certificate(Certificate::from_pem(pem));
        }
        endpoint = endpoint.tls_config(tls).map_err(client)?;
    }
    Ok(endpoint.connect_lazy())
}

fn http_client(config: &OtlpConfig, headers: HeaderMap) -> Result<reqwest::Client, OtlpError> {
    let client = |error: reqwest::Error| OtlpError::Client(Box::new(error.without_url()));
    let mut builder = reqwest::Client::builder()
        .timeout(config.timeout)
        .default_headers(headers)
        .redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = &config.ca {
        let certificates = reqwest::Certificate::from_pem_bundle(pem).map_err(|_| OtlpError::Certificates)?;
        if certificates.is_empty() {
            return Err(OtlpError::Certificates);
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(client)
}

fn rejected(answer: &ExportTraceServiceResponse) -> u64 {
    let partial = answer.partial_success.as_ref();
    partial.map_or(0, |partial| u64::try_from(partial.rejected_spans).unwrap_or_default())
}

/// An answer that cannot be read says nothing of spans that are not wanted.
async fn read(mut answer: reqwest::Response) -> u64 {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LONGEST_ANSWER {
            return 0;
        }
    }
    ExportTraceServiceResponse::decode(&*bytes).map_or(0, |answer| rejected(&answer))
}

fn late(timeout: Duration) -> NotSent {
    NotSent {
        why: format!("no answer within {} ms", timeout.as_millis()),
        may_try_again: true,
    }
}

fn away(error: reqwest::Error) -> NotSent {
    NotSent {
        why: chain(&error.without_url()),
        may_try_again: true,
    }
}

/// The message of a status is the collector's, and could repeat what was sent: its name is enough.
fn refused_by_grpc(status: &tonic::Status) -> NotSent {
    let may_try_again = matches!(
        status.code(),
        Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable
            | Code::DataLoss
            | Code::ResourceExhausted
    );
    let cause = std::error::Error::source(status).map(chain);
    NotSent {
        why: match cause {
            Some(cause) => format!("{:?}: {cause}", status.code()),
            None => format!("{:?}", status.code()),
        },
        may_try_again,
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
