//! Health and reflection, which follow modules as they come and go.

use std::sync::Arc;

use futures_util::stream;
use prost::Message as _;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ExtensionRequest, ServerReflectionRequest};
use tonic_reflection::pb::v1alpha;
use wharf_host::grpc::health::Health;
use wharf_host::grpc::surfaces::Surfaces;
use wharf_host::http::gateway::Limits;
use wharf_host::http::routes::{RouteTable, Routes};

use crate::lab::*;
use crate::rig::*;

fn host(health: &Health) -> Host {
    let routes = Arc::new(Routes::new());
    let surfaces = Arc::new(Surfaces::new(&routes, health.clone()));
    Host::over(routes, Limits::default(), |gateway| gateway.with_local(surfaces))
}

fn swap(host: &Host, with_lab: bool) {
    let modules = if with_lab { vec![lab(&Alive::default())] } else { Vec::new() };
    host.routes.swap(RouteTable::build(modules).unwrap());
}

fn ask(service: &str) -> HealthCheckRequest {
    HealthCheckRequest {
        service: service.to_owned(),
    }
}

#[tokio::test]
async fn health_answers_for_the_host_and_for_each_routed_service() {
    let health = Health::new();
    let host = host(&health);
    let mut client = HealthClient::new(channel(host.address).await);
    let check = async |client: &mut HealthClient<_>, service: &str| {
        client
            .check(ask(service))
            .await
            .map(|answer| answer.into_inner().status())
            .map_err(|status| status.code())
    };
    assert_eq!(check(&mut client, "").await, Ok(ServingStatus::NotServing));
    health.set_ready(true);
    assert_eq!(check(&mut client, "").await, Ok(ServingStatus::Serving));
    assert_eq!(check(&mut client, "lab.v1.Lab").await, Err(Code::NotFound));
    swap(&host, true);
    assert_eq!(check(&mut client, "lab.v1.Lab").await, Ok(ServingStatus::Serving));
    health.set_module("lab", false);
    assert_eq!(check(&mut client, "lab.v1.Lab").await, Ok(ServingStatus::NotServing));
    assert_eq!(check(&mut client, "grpc.health.v1.Health").await, Ok(ServingStatus::Serving));
}

#[tokio::test]
async fn a_health_watch_sees_a_module_leave_and_return_and_ends_at_shutdown() {
    let health = Health::new();
    let host = host(&health);
    swap(&host, true);
    let mut client = HealthClient::new(channel(host.address).await);
    let mut watch = client.watch(ask("lab.v1.Lab")).await.unwrap().into_inner();
    let mut next = async || soon("a status", watch.message()).await.unwrap().map(|answer| answer.status());
    assert_eq!(next().await, Some(ServingStatus::Serving));
    swap(&host, false);
    assert_eq!(next().await, Some(ServingStatus::ServiceUnknown));
    swap(&host, true);
    assert_eq!(next().await, Some(ServingStatus::Serving));
    health.set_module("lab", false);
    assert_eq!(next().await, Some(ServingStatus::NotServing));
    health.set_module("lab", true);
    assert_eq!(next().await, Some(ServingStatus::Serving));
    health.close();
    assert_eq!(next().await, Some(ServingStatus::NotServing));
    assert_eq!(next().await, None);
}

async fn reflect(host: &Host, question: MessageRequest) -> MessageResponse {
    let mut client = ServerReflectionClient::new(channel(host.address).await);
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    };
    let mut answers = client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
    soon("an answer", answers.message())
        .await
        .unwrap()
        .unwrap()
        .message_response
        .unwrap()
}

async fn listed(host: &Host) -> Vec<String> {
    match reflect(host, MessageRequest::ListServices(String::new())).await {
        MessageResponse::ListServicesResponse(list) => list.service.into_iter().map(|service| service.name).collect(),
        other => panic!("{other:?}"),
    }
}

const OWN: [&str; 4] = [
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
    "wharf.host.v1.Host",
];

#[tokio::test]
async fn reflection_lists_what_is_routed_now() {
    let host = host(&Health::new());
    assert_eq!(listed(&host).await, OWN);
    swap(&host, true);
    assert_eq!(listed(&host).await[0], "lab.v1.Lab");
    swap(&host, false);
    assert_eq!(listed(&host).await, OWN);
}

#[tokio::test]
async fn reflection_finds_files_by_name_symbol_and_extension() {
    let host = host(&Health::new());
    swap(&host, true);
    let found = |answer: MessageResponse| match answer {
        MessageResponse::FileDescriptorResponse(files) => prost_reflect::DescriptorPool::decode(
            prost_reflect::prost_types::FileDescriptorSet {
                file: files
                    .file_descriptor_proto
                    .iter()
                    .map(|bytes| prost_reflect::prost_types::FileDescriptorProto::decode(bytes.as_slice()).unwrap())
                    .collect(),
            }
            .encode_to_vec()
            .as_slice(),
        )
        .unwrap()
        .files()
        .map(|file| file.name().to_owned())
        .collect::<Vec<_>>(),
        MessageResponse::ErrorResponse(error) => vec![format!("error {}", error.error_code)],
        other => panic!("{other:?}"),
    };
    for symbol in [
        "lab.v1.Lab",
        "lab.v1.Lab.Echo",
        "lab.v1.Note",
        "lab.v1.Note.text",
        "lab.v1.Color",
        "lab.v1.Color.COLOR_RED",
    ] {
        let files = found(reflect(&host, MessageRequest::FileContainingSymbol(symbol.to_owned())).await);
        assert!(
            files.contains(&"lab.proto".to_owned()) && files.contains(&"wharf/options/v1/policy.proto".to_owned()),
            "{symbol}: {files:?}"
        );
    }
    let files = found(reflect(&host, MessageRequest::FileByFilename("google/protobuf/timestamp.proto".to_owned())).await);
    assert_eq!(files, ["google/protobuf/timestamp.proto"]);
    let extension = ExtensionRequest {
        containing_type: "google.protobuf.MethodOptions".to_owned(),
        extension_number: 50901,
    };
    let files = found(reflect(&host, MessageRequest::FileContainingExtension(extension)).await);
    assert!(files.contains(&"wharf/options/v1/policy.proto".to_owned()), "{files:?}");
    assert_eq!(
        found(reflect(&host, MessageRequest::FileContainingSymbol("no.Such".to_owned())).await),
        ["error 5"]
    );
    match reflect(
        &host,
        MessageRequest::AllExtensionNumbersOfType("google.protobuf.MethodOptions".to_owned()),
    )
    .await
    {
        MessageResponse::AllExtensionNumbersResponse(numbers) => assert_eq!(numbers.extension_number, [50901]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn reflection_speaks_v1alpha_too() {
    let host = host(&Health::new());
    swap(&host, true);
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel(host.address).await);
    let question = v1alpha::server_reflection_request::MessageRequest::ListServices(String::new());
    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(question),
    };
    let mut answers = client.server_reflection_info(stream::iter([request])).await.unwrap().into_inner();
    match soon("an answer", answers.message())
        .await
        .unwrap()
        .unwrap()
        .message_response
        .unwrap()
    {
        v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list) => assert_eq!(list.service[0].name, "lab.v1.Lab"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn reflection_is_not_served_where_only_health_is() {
    let routes = Arc::new(Routes::new());
    let surfaces = Arc::new(Surfaces::health_only(&routes, Health::new()));
    let host = Host::over(routes, Limits::default(), |gateway| gateway.with_local(surfaces));
    assert!(HealthClient::new(channel(host.address).await).check(ask("")).await.is_ok());
    let mut client = ServerReflectionClient::new(channel(host.address).await);
    let refused = client
        .server_reflection_info(stream::iter([ServerReflectionRequest::default()]))
        .await;
    assert_eq!(refused.err().map(|status| status.code()), Some(Code::Unimplemented));
}
