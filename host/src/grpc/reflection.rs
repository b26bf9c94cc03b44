//! gRPC server reflection, answered from the descriptors of the modules that serve at this moment.
//!
//! An answer with a file carries the files it imports too (the protocol allows it): two modules may have different
//! files of the same name, and a client that asked for an import by name could get the other module's.

use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use futures_util::StreamExt;
use prost_reflect::{DescriptorPool, FileDescriptor};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::server_reflection_server::ServerReflection;
use tonic_reflection::pb::v1::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest, ServerReflectionResponse,
    ServiceResponse,
};

use super::surfaces::OWN_SERVICES;
use crate::http::routes::Routes;

/// The gRPC service `grpc.reflection.v1.ServerReflection`; v1alpha has the same messages under another name.
#[derive(Clone)]
pub(super) struct ReflectionService {
    routes: Arc<Routes>,
    /// Health and reflection themselves.
    own: DescriptorPool,
}

impl ReflectionService {
    pub(super) fn new(routes: Arc<Routes>) -> Self {
        let mut own = DescriptorPool::new();
        for set in [
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
            wharf_proto::DESCRIPTORS,
        ] {
            if let Err(error) = own.decode_file_descriptor_set(set) {
                tracing::warn!(target: "wharf::grpc", error = %error, "the descriptors of a built-in gRPC service cannot be read");
            }
        }
        Self { routes, own }
    }

    fn answer(&self, request: ServerReflectionRequest) -> ServerReflectionResponse {
        let answered = match &request.message_request {
            None => Err((Code::InvalidArgument, "found a request without a question, expected one".to_owned())),
            Some(MessageRequest::ListServices(_)) => Ok(self.list()),
            Some(MessageRequest::FileByFilename(name)) => self.file(name, |pool| pool.get_file_by_name(name)),
            Some(MessageRequest::FileContainingSymbol(symbol)) => self.file(symbol, |pool| file_of(pool, symbol)),
            Some(MessageRequest::FileContainingExtension(wanted)) => self.file(&wanted.containing_type, |pool| {
                let message = pool.get_message_by_name(&wanted.containing_type)?;
                Some(message.get_extension(u32::try_from(wanted.extension_number).ok()?)?.parent_file())
            }),
            Some(MessageRequest::AllExtensionNumbersOfType(name)) => self.extension_numbers(name),
        };
        let message = answered.unwrap_or_else(|(code, error_message)| {
            MessageResponse::ErrorResponse(ErrorResponse {
                error_code: code as i32,
                error_message,
            })
        });
        ServerReflectionResponse {
            valid_host: request.host.clone(),
            original_request: Some(request),
            message_response: Some(message),
        }
    }

    fn list(&self) -> MessageResponse {
        let table = self.routes.load();
        let names = table.services().iter().map(|service| service.name.to_string());
        let service = names
            .chain(OWN_SERVICES.map(str::to_owned))
            .map(|name| ServiceResponse { name })
            .collect();
        MessageResponse::ListServicesResponse(ListServiceResponse { service })
    }

    fn file(&self, name: &str, find: impl Fn(&DescriptorPool) -> Option<FileDescriptor>) -> Result<MessageResponse, (Code, String)> {
        let file = self.pools().iter().find_map(find).ok_or_else(|| unknown(name))?;
        let mut files = vec![file];
        let mut place = 0;
        while let Some(file) = files.get(place).cloned() {
            for import in file.dependencies() {
                if !files.contains(&import) {
                    files.push(import);
                }
            }
            place += 1;
        }
        let file_descriptor_proto = files.iter().map(FileDescriptor::encode_to_vec).collect();
        Ok(MessageResponse::FileDescriptorResponse(FileDescriptorResponse {
            file_descriptor_proto,
        }))
    }

    fn extension_numbers(&self, name: &str) -> Result<MessageResponse, (Code, String)> {
        let mut known = false;
        let mut numbers = Vec::new();
        for message in self.pools().iter().filter_map(|pool| pool.get_message_by_name(name)) {
            known = true;
            numbers.extend(message.extensions().filter_map(|extension| i32::try_from(extension.number()).ok()));
        }
        if !known {
            return Err(unknown(name));
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(MessageResponse::AllExtensionNumbersResponse(ExtensionNumberResponse {
            base_type_name: name.to_owned(),
            extension_number: numbers,
        }))
    }

    fn pools(&self) -> Vec<DescriptorPool> {
        let table = self.routes.load();
        let of_modules = table.services().iter().filter_map(|service| service.descriptors.clone());
        let mut pools: Vec<DescriptorPool> = of_modules.collect();
        pools.dedup();
        pools.push(self.own.clone());
        pools
    }
}

#[tonic::async_trait]
impl ServerReflection for ReflectionService {
    type ServerReflectionInfoStream = Pin<Box<dyn Stream<Item = Result<ServerReflectionResponse, Status>> + Send>>;

    async fn server_reflection_info(
        &self,
        request: Request<Streaming<ServerReflectionRequest>>,
    ) -> Result<Response<Self::ServerReflectionInfoStream>, Status> {
        let this = self.clone();
        let answers = request
            .into_inner()
            .map(move |question| question.map(|question| this.answer(question)));
        Ok(Response::new(Box::pin(answers)))
    }
}

/// The file that defines a symbol: a gRPC service, message, enum or extension, or a member of one.
fn file_of(pool: &DescriptorPool, symbol: &str) -> Option<FileDescriptor> {
    let whole = |name: &str| {
        let service = pool.get_service_by_name(name).map(|found| found.parent_file());
        let message = || pool.get_message_by_name(name).map(|found| found.parent_file());
        let enumeration = || pool.get_enum_by_name(name).map(|found| found.parent_file());
        let extension = || pool.get_extension_by_name(name).map(|found| found.parent_file());
        service.or_else(message).or_else(enumeration).or_else(extension)
    };
    let member = || {
        let (parent, name) = symbol.rsplit_once('.')?;
        let service = pool
            .get_service_by_name(parent)
            .is_some_and(|found| found.methods().any(|method| method.name() == name));
        let message = pool
            .get_message_by_name(parent)
            .is_some_and(|found| found.get_field_by_name(name).is_some() || found.oneofs().any(|oneof| oneof.name() == name));
        let enumeration = pool
            .get_enum_by_name(parent)
            .is_some_and(|found| found.get_value_by_name(name).is_some());
        (service || message || enumeration).then(|| whole(parent)).flatten()
    };
    whole(symbol).or_else(member)
}

fn unknown(name: &str) -> (Code, String) {
    (Code::NotFound, format!("no module that serves now knows {name:?}"))
}
