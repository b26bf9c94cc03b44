//! The gRPC side of the measurements: the greeter's API, answered as cheaply as can be, and the client that times it.

use std::pin::Pin;
use std::time::Instant;

use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::tokio_stream::Stream;
use tonic::codegen::{Body as HttpBody, Bytes, StdError};
use tonic::{Request, Response, Status, Streaming};

use self::v1::greeter_client::GreeterClient;
use self::v1::greeter_server::Greeter;
use self::v1::{
    ChatRequest, ChatResponse, CountRequest, CountResponse, HelloRequest, HelloResponse, StatisticsRequest, StatisticsResponse, SumRequest,
    SumResponse,
};

/// The API of `plugins/greeter`, from its generated code.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    include!("../../../plugins/greeter/src/gen/greeter.v1.rs");
}

/// Answers `Hello` and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Answering;

type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Greeter for Answering {
    type CountStream = Streamed<CountResponse>;
    type ChatStream = Streamed<ChatResponse>;

    async fn hello(&self, request: Request<HelloRequest>) -> Result<Response<HelloResponse>, Status> {
        Ok(Response::new(HelloResponse {
            message: request.into_inner().name,
        }))
    }

    async fn count(&self, _: Request<CountRequest>) -> Result<Response<Self::CountStream>, Status> {
        Err(Status::unimplemented("only Hello is measured"))
    }

    async fn sum(&self, _: Request<Streaming<SumRequest>>) -> Result<Response<SumResponse>, Status> {
        Err(Status::unimplemented("only Hello is measured"))
    }

    async fn chat(&self, _: Request<Streaming<ChatRequest>>) -> Result<Response<Self::ChatStream>, Status> {
        Err(Status::unimplemented("only Hello is measured"))
    }

    async fn statistics(&self, _: Request<StatisticsRequest>) -> Result<Response<StatisticsResponse>, Status> {
        Err(Status::unimplemented("only Hello is measured"))
    }
}

/// Calls `Hello` so many times, one after the other; the durations in nanoseconds, sorted.
///
/// # Errors
/// The status of the first call that fails.
pub async fn durations<C>(channel: C, calls: usize) -> Result<Vec<u64>, Status>
where
    C: GrpcService<Body>,
    C::Error: Into<StdError>,
    C::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <C::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    let mut client = GreeterClient::new(channel);
    let mut durations = Vec::with_capacity(calls);
    for _ in 0..calls {
        let request = HelloRequest { name: "you".to_owned() };
        let started = Instant::now();
        let answer = client.hello(request).await?;
        durations.push(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
        if answer.into_inner().message != "you" {
            return Err(Status::internal("found another greeting, expected the name that was sent"));
        }
    }
    durations.sort_unstable();
    Ok(durations)
}
