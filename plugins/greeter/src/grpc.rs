//! The gRPC service `greeter.v1.Greeter`.

use std::pin::Pin;
use std::time::Duration;

use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use crate::greeter::{Greeter, Refusal};
use crate::v1;

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let sentence = refusal.to_string();
        match refusal {
            Refusal::NoName | Refusal::LongName { .. } | Refusal::LongPause { .. } => Self::invalid_argument(sentence),
            Refusal::FarCount { .. } => Self::out_of_range(sentence),
        }
    }
}

#[tonic::async_trait]
impl v1::greeter_server::Greeter for Greeter {
    type CountStream = Answers<v1::CountResponse>;
    type ChatStream = Answers<v1::ChatResponse>;

    async fn hello(&self, request: Request<v1::HelloRequest>) -> Result<Response<v1::HelloResponse>, Status> {
        let message = self.greet(&request.into_inner().name)?;
        Ok(Response::new(v1::HelloResponse { message }))
    }

    async fn count(&self, request: Request<v1::CountRequest>) -> Result<Response<Self::CountStream>, Status> {
        let request = request.into_inner();
        let numbers = Greeter::count(self, request.limit, Duration::from_millis(request.interval_ms.into()))?;
        Ok(Response::new(Box::pin(numbers.map(|number| Ok(v1::CountResponse { number })))))
    }

    async fn sum(&self, request: Request<Streaming<v1::SumRequest>>) -> Result<Response<v1::SumResponse>, Status> {
        let mut numbers = request.into_inner();
        let mut total = v1::SumResponse::default();
        while let Some(v1::SumRequest { number }) = numbers.message().await? {
            let Some(sum) = total.sum.checked_add(number) else {
                return Err(Status::out_of_range(format!("{} + {number} does not fit into 64 bits", total.sum)));
            };
            total.sum = sum;
            total.count += 1;
        }
        Ok(Response::new(total))
    }

    async fn chat(&self, request: Request<Streaming<v1::ChatRequest>>) -> Result<Response<Self::ChatStream>, Status> {
        let answers = request.into_inner().map(|line| {
            let v1::ChatRequest { line } = line?;
            Ok(v1::ChatResponse {
                line: format!("you said: {line}"),
            })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn statistics(&self, _: Request<v1::StatisticsRequest>) -> Result<Response<v1::StatisticsResponse>, Status> {
        Ok(Response::new(v1::StatisticsResponse {
            greetings: self.greetings(),
        }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Config;
    use tonic::Code;
    use v1::greeter_client::GreeterClient;
    use v1::greeter_server::GreeterServer;

    type Client = GreeterClient<GreeterServer<Greeter>>;

    /// tonic's client straight on tonic's server: no host and no socket.
    fn client() -> Client {
        GreeterClient::new(GreeterServer::new(Greeter::new(Config::default())))
    }

    #[tokio::test]
    async fn hello_greets_and_statistics_count() {
        let mut client = client();
        let request = v1::HelloRequest { name: "Ada".to_owned() };
        assert_eq!(client.hello(request).await.unwrap().into_inner().message, "Hello, Ada!");
        let statistics = client.statistics(v1::StatisticsRequest {}).await.unwrap();
        assert_eq!(statistics.into_inner().greetings, 1);
    }

    #[tokio::test]
    async fn refusals_are_statuses_that_say_why() {
        let mut client = client();
        let status = client.hello(v1::HelloRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let far = v1::CountRequest {
            limit: 100_001,
            interval_ms: 0,
        };
        let status = client.count(far).await.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange);
        assert!(status.message().contains("100001"), "{status}");
    }

    #[tokio::test]
    async fn count_streams_every_number() {
        let request = v1::CountRequest {
            limit: 1000,
            interval_ms: 0,
        };
        let stream = client().count(request).await.unwrap().into_inner();
        let numbers: Vec<u32> = stream.map(|answer| answer.unwrap().number).collect().await;
        assert_eq!(numbers, (1..=1000).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn sum_adds_what_the_caller_streams() {
        let numbers = [3, -5, 40].map(|number| v1::SumRequest { number });
        let total = client().sum(tokio_stream::iter(numbers)).await.unwrap().into_inner();
        assert_eq!(total, v1::SumResponse { sum: 38, count: 3 });
        let numbers = [i64::MAX, 1].map(|number| v1::SumRequest { number });
        let status = client().sum(tokio_stream::iter(numbers)).await.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange);
    }

    #[tokio::test]
    async fn chat_answers_every_line() {
        let lines = ["a", "b"].map(|line| v1::ChatRequest { line: line.to_owned() });
        let stream = client().chat(tokio_stream::iter(lines)).await.unwrap().into_inner();
        let answers: Vec<String> = stream.map(|answer| answer.unwrap().line).collect().await;
        assert_eq!(answers, ["you said: a", "you said: b"]);
    }
}
