//! Health, reflection and the status over gRPC follow modules as operators switch them off and on.

use futures_util::stream;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use wharf_proto::host::v1::host_client::HostClient;
use wharf_proto::host::v1::{GetModuleRequest, GetStatusRequest, ListRoutesRequest};
use wharf_tests::{ServerOptions, TestServer};

use crate::client::{eventually, soon, wharf};
use crate::grpc::plain;

const SERVICE: &str = "greeter.v1.Greeter";

async fn health(server: &TestServer) -> Result<ServingStatus, Code> {
    let question = HealthCheckRequest {
        service: SERVICE.to_owned(),
    };
    let answer = HealthClient::new(plain(server.http()).await).check(question).await;
    answer.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
}

async fn is_listed(server: &TestServer) -> bool {
    let question = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut client = ServerReflectionClient::new(plain(server.management()).await);
    let mut answers = client.server_reflection_info(stream::iter([question])).await.unwrap().into_inner();
    match soon("an answer", answers.message()).await.unwrap().unwrap().message_response {
        Some(MessageResponse::ListServicesResponse(list)) => list.service.iter().any(|service| service.name == SERVICE),
        other => panic!("{other:?}"),
    }
}

async fn state(server: &TestServer) -> Result<String, Code> {
    let question = GetModuleRequest { id: "greeter".to_owned() };
    let answer = HostClient::new(plain(server.management()).await).get_module(question).await;
    answer.map(|answer| answer.into_inner().state).map_err(|status| status.code())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_over_grpc_is_on_the_management_listener_alone() {
    let server = TestServer::start(ServerOptions {
        modules: &["greeter"],
        ..ServerOptions::default()
    });
    assert_eq!(state(&server).await.as_deref(), Ok("running"));
    let mut management = HostClient::new(plain(server.management()).await);
    let routes = management.list_routes(ListRoutesRequest {}).await.unwrap().into_inner().routes;
    assert!(
        routes
            .iter()
            .any(|route| route.module == "greeter" && route.lane == "grpc" && route.policy == "public"),
        "{routes:?}"
    );
    let status = management.get_status(GetStatusRequest {}).await.unwrap().into_inner();
    assert!(
        status.ready && status.generations_loaded == 1 && status.modules.len() == 1,
        "{status:?}"
    );
    let unknown = management
        .get_module(GetModuleRequest { id: "nobody".to_owned() })
        .await
        .unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    let public = HostClient::new(plain(server.http()).await)
        .get_status(GetStatusRequest {})
        .await
        .unwrap_err();
    assert_eq!(public.code(), Code::Unimplemented);
    wharf(&server, &["modules", "disable", "greeter"]).await.unwrap();
    assert_eq!(state(&server).await.as_deref(), Ok("disabled"));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_follow_a_module_that_is_disabled_and_enabled() {
    let server = TestServer::start(ServerOptions {
        modules: &["greeter"],
        ..ServerOptions::default()
    });
    for _ in 0..2 {
        let serving = eventually(
            "health",
            async || health(&server).await,
            |health| *health == Ok(ServingStatus::Serving),
        );
        assert!(serving.await.is_ok());
        assert!(is_listed(&server).await);
        wharf(&server, &["modules", "disable", "greeter"]).await.unwrap();
        assert_eq!(health(&server).await, Err(Code::NotFound));
        assert!(!is_listed(&server).await);
        wharf(&server, &["modules", "enable", "greeter"]).await.unwrap();
    }
}
