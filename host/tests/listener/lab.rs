//! A module with gRPC services, made of tonic parts, and a client for it.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use http::Response;
use prost_reflect::DescriptorPool;
use tonic::transport::{Channel, Endpoint as Address};
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;
use wharf_host::grpc::policy::methods_from_pool;
use wharf_host::http::body::Body;
use wharf_host::http::routes::Mounted;

use crate::rig::*;

#[derive(Clone, PartialEq, prost::Message)]
pub struct Timestamp {
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
pub struct Note {
    #[prost(string, tag = "1")]
    pub text: String,
    #[prost(int64, tag = "2")]
    pub big: i64,
    #[prost(int32, tag = "3")]
    pub color: i32,
    #[prost(message, optional, tag = "4")]
    pub at: Option<Timestamp>,
    #[prost(bytes = "vec", tag = "7")]
    pub data: Vec<u8>,
}

type Notes = Pin<Box<dyn Stream<Item = Result<Note, Status>> + Send>>;

pub fn note(text: impl Into<String>) -> Note {
    Note {
        text: text.into(),
        ..Note::default()
    }
}

/// Descriptors as a module brings them: compiled with imports, then encoded and decoded.
pub fn pool() -> DescriptorPool {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/listener/proto");
    let shared = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    let mut compiler = protox::Compiler::new([here, shared]).unwrap();
    compiler.include_imports(true).open_file("lab.proto").unwrap();
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
}

/// Counts streams that are alive.
#[derive(Clone, Default)]
pub struct Alive(pub Arc<AtomicUsize>);

struct Living(Arc<AtomicUsize>);

impl Alive {
    fn one(&self) -> Living {
        self.0.fetch_add(1, Ordering::SeqCst);
        Living(Arc::clone(&self.0))
    }

    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

pub fn lab(alive: &Alive) -> Mounted {
    let alive = alive.clone();
    let endpoint = endpoint(move |_, request: http::Request<Body>, _| {
        let alive = alive.clone();
        async move {
            let mut grpc = tonic::server::Grpc::new(ProstCodec::<Note, Note>::default());
            let path = request.uri().path().to_owned();
            let response: Response<tonic::body::Body> = match path.as_str() {
                "/lab.v1.Lab/Echo" => grpc.unary(service_fn(echo), request).await,
                "/lab.v1.Lab/Fail" => grpc.unary(service_fn(fail), request).await,
                "/lab.v1.Lab/Count" => {
                    let count = move |request: tonic::Request<Note>| {
                        let living = alive.one();
                        async move { Ok(tonic::Response::new(count(request.into_inner(), living))) }
                    };
                    grpc.server_streaming(service_fn(count), request).await
                }
                "/lab.v1.Lab/Chat" => grpc.streaming(service_fn(chat), request).await,
                other => panic!("unexpected call of {other}"),
            };
            response.map(Body::new)
        }
    });
    let pool = pool();
    Mounted {
        grpc: methods_from_pool(&pool, &["lab.v1.Lab".to_owned()]).unwrap(),
        prefix: None,
        descriptors: Some(pool),
        openapi: None,
        ..module("lab", Vec::new(), endpoint)
    }
}

async fn echo(request: tonic::Request<Note>) -> Result<tonic::Response<Note>, Status> {
    let color = request.metadata().get("x-color").cloned();
    if request.get_ref().text == "hang" {
        std::future::pending::<()>().await;
    }
    let mut response = tonic::Response::new(request.into_inner());
    if let Some(color) = color {
        response.metadata_mut().insert("x-color-seen", color);
    }
    Ok(response)
}

async fn fail(request: tonic::Request<Note>) -> Result<tonic::Response<Note>, Status> {
    // google.rpc.Status with one detail: type_url "t/lab.v1.Note", value [8, 1].
    let detail = b"\x1a\x13\x0a\x0dt/lab.v1.Note\x12\x02\x08\x01";
    Err(Status::with_details(
        Code::FailedPrecondition,
        format!("no: {} 100%", request.get_ref().text),
        detail.to_vec().into(),
    ))
}

/// Sends as many notes as asked, then fails if the text says so, or never ends.
fn count(asked: Note, living: Living) -> Notes {
    let many = stream::iter(0..asked.big).map(|number| Ok(note(number.to_string())));
    let end: Notes = match asked.text.as_str() {
        "fail" => Box::pin(stream::once(async { Err(Status::data_loss("lost")) })),
        "hang" => Box::pin(stream::pending()),
        _ => Box::pin(stream::empty()),
    };
    Box::pin(many.chain(end).map(move |item| {
        let _ = &living;
        item
    }))
}

async fn chat(request: tonic::Request<tonic::Streaming<Note>>) -> Result<tonic::Response<Notes>, Status> {
    let answers = request
        .into_inner()
        .map(|item| item.map(|said| note(format!("you said {}", said.text))));
    Ok(tonic::Response::new(Box::pin(answers)))
}

/// A tonic client of the lab.
pub struct LabClient(tonic::client::Grpc<Channel>);

impl LabClient {
    pub async fn connect(address: SocketAddr) -> Self {
        Self(tonic::client::Grpc::new(channel(address).await))
    }

    pub async fn unary(&mut self, method: &'static str, note: Note, timeout: Option<Duration>) -> Result<tonic::Response<Note>, Status> {
        self.0.ready().await.unwrap();
        let mut request = tonic::Request::new(note);
        request.metadata_mut().insert("x-color", "red".parse().unwrap());
        if let Some(timeout) = timeout {
            request.set_timeout(timeout);
        }
        soon(
            "a unary answer",
            self.0.unary(request, method.parse().unwrap(), ProstCodec::default()),
        )
        .await
    }

    pub async fn count(&mut self, asked: Note, timeout: Option<Duration>) -> Result<tonic::Streaming<Note>, Status> {
        self.0.ready().await.unwrap();
        let mut request = tonic::Request::new(asked);
        if let Some(timeout) = timeout {
            // Set by hand: tonic's own set_timeout would also end the call on the client's side.
            request
                .metadata_mut()
                .insert("grpc-timeout", format!("{}m", timeout.as_millis()).parse().unwrap());
        }
        let path = "/lab.v1.Lab/Count".parse().unwrap();
        Ok(self.0.server_streaming(request, path, ProstCodec::default()).await?.into_inner())
    }

    pub async fn chat(&mut self, said: impl Stream<Item = Note> + Send + 'static) -> Result<tonic::Streaming<Note>, Status> {
        self.0.ready().await.unwrap();
        let path = "/lab.v1.Lab/Chat".parse().unwrap();
        Ok(self
            .0
            .streaming(tonic::Request::new(said), path, ProstCodec::default())
            .await?
            .into_inner())
    }
}

pub async fn channel(address: SocketAddr) -> Channel {
    Address::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}
