//! `wharf.host.v1.Host`: the status of the node and its modules, for programs that speak gRPC.

use std::sync::Arc;

use jiff::Timestamp;
use tonic::{Request, Response, Status};
use wharf_proto::host::v1::host_server::Host;
use wharf_proto::host::v1::{
    Desired, GetModuleRequest, GetStatusRequest, HostStatus, ListRoutesRequest, ListRoutesResponse, Message, ModuleStatus, Route,
};

use crate::domain::route::Policy;
use crate::domain::status;
use crate::modules::control::{Control, ControlError, RouteRow};

/// The gRPC service.
#[derive(Clone)]
pub(super) struct HostService(pub(super) Arc<dyn Control>);

#[tonic::async_trait]
impl Host for HostService {
    async fn get_status(&self, _: Request<GetStatusRequest>) -> Result<Response<HostStatus>, Status> {
        let status = self.0.status().await.map_err(refused)?;
        Ok(Response::new(of_host(status)))
    }

    async fn get_module(&self, request: Request<GetModuleRequest>) -> Result<Response<ModuleStatus>, Status> {
        let status = self.0.module(&request.get_ref().id).await.map_err(refused)?;
        Ok(Response::new(of_module(status)))
    }

    async fn list_routes(&self, _: Request<ListRoutesRequest>) -> Result<Response<ListRoutesResponse>, Status> {
        let routes = self.0.routes().await.map_err(refused)?;
        Ok(Response::new(ListRoutesResponse {
            routes: routes.into_iter().map(of_route).collect(),
        }))
    }
}

fn refused(error: ControlError) -> Status {
    if error.code == "module.unknown" {
        return Status::not_found(error.message);
    }
    Status::unavailable(format!("{}: {}", error.code, error.message))
}

fn of_host(status: status::HostStatus) -> HostStatus {
    HostStatus {
        node: status.node,
        pid: status.pid,
        version: status.version,
        abi: status.abi,
        started: Some(time(status.started)),
        ready: status.ready,
        generations_loaded: status.generations_loaded,
        thread_keys_left: status.thread_keys_left,
        private_bytes: status.private_bytes,
        modules: status.modules.into_iter().map(of_module).collect(),
    }
}

fn of_module(status: status::ModuleStatus) -> ModuleStatus {
    ModuleStatus {
        id: status.id,
        version: status.version,
        description: status.description,
        state: word(&status.state),
        since: Some(time(status.since)),
        linkage: word(&status.linkage),
        placement: status.placement,
        generation: status.generation,
        instance: status.instance,
        hash: status.hash,
        file: status.file,
        prefix: status.prefix,
        grpc_services: status.grpc_services,
        requires: status.requires,
        degraded: status.degraded,
        health: status.health,
        calls: status.calls,
        in_flight: status.in_flight,
        errors: status.errors,
        panics: status.panics,
        memory_bytes: status.memory_bytes,
        desired: Some(Desired {
            enabled: status.desired.enabled,
            pinned_version: status.desired.pinned_version,
            pinned_hash: status.desired.pinned_hash,
        }),
        messages: status.messages.into_iter().map(of_message).collect(),
    }
}

fn of_message(message: status::Message) -> Message {
    Message {
        at: Some(time(message.at)),
        level: message.level,
        text: message.text,
    }
}

fn of_route(row: RouteRow) -> Route {
    Route {
        module: row.module,
        lane: word(&row.lane),
        method: row.method,
        path: row.path,
        policy: match row.policy {
            Policy::Public => "public".to_owned(),
            Policy::Authenticated => "authenticated".to_owned(),
            Policy::Require(permission) => permission,
        },
        hidden: row.hidden,
    }
}

/// The word of a state as the JSON form has it.
fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

fn time(at: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: at.as_second(),
        nanos: at.subsec_nanosecond(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
    use serde_json::Value;

    use super::*;
    use crate::domain::status::{Linkage, State};

    /// Every field filled, so that one that is missing on either side shows.
    fn full() -> status::HostStatus {
        let text = |text: &str| Some(text.to_owned());
        let at: Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        status::HostStatus {
            node: "n1".into(),
            pid: 7,
            version: "0.1.0".into(),
            abi: "1.0".into(),
            started: at,
            ready: true,
            generations_loaded: 3,
            thread_keys_left: 900,
            private_bytes: 4096,
            modules: vec![status::ModuleStatus {
                id: "blog".into(),
                version: "1.2.0".into(),
                description: "Posts".into(),
                state: State::Running,
                since: at,
                linkage: Linkage::Dynamic,
                placement: "in-process".into(),
                generation: 2,
                instance: 5,
                hash: text("ab"),
                file: text("libblog.so"),
                prefix: text("/blog"),
                grpc_services: vec!["blog.v1.Blog".into()],
                requires: vec!["identity".into()],
                asks: vec![],
                degraded: vec!["identity".into()],
                health: "serving".into(),
                calls: 1,
                in_flight: 2,
                errors: 3,
                panics: 4,
                memory_bytes: Some(5),
                desired: status::Desired {
                    enabled: Some(true),
                    pinned_version: text("1.2.0"),
                    pinned_hash: text("ab"),
                },
                messages: vec![status::Message {
                    at,
                    level: "info".into(),
                    text: "started".into(),
                }],
            }],
        }
    }

    /// 64-bit numbers are strings in protobuf's JSON.
    fn numbers_as_text(value: Value) -> Value {
        match value {
            Value::Number(number) => Value::String(number.to_string()),
            Value::Array(values) => values.into_iter().map(numbers_as_text).collect(),
            Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, numbers_as_text(value))).collect(),
            other => other,
        }
    }

    #[test]
    fn grpc_says_what_json_says() {
        let json = serde_json::to_value(full()).unwrap();
        let pool = DescriptorPool::decode(wharf_proto::DESCRIPTORS).unwrap();
        let mut message = DynamicMessage::new(pool.get_message_by_name("wharf.host.v1.HostStatus").unwrap());
        message.transcode_from(&of_host(full())).unwrap();
        let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(false);
        let over_grpc = message.serialize_with_options(serde_json::value::Serializer, &options).unwrap();
        let sorted = |value: Value| {
            let mut value = numbers_as_text(value);
            value.sort_all_objects();
            value
        };
        assert_eq!(sorted(over_grpc), sorted(json));
    }
}
