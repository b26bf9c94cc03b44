//! A module for tests that calls `ring-a` back when it is called by it, and tells what came of that.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wharf_sdk::{Context, Error, Grpc, Module, NoConfig, Result, Routes, export_module};

use v1::left_client::LeftClient;
use v1::right_server::{Right, RightServer};
use v1::{BackRequest, BackResponse, TurnRequest};

/// What `ring-a` generated.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    include!("../../ring-a/src/gen/ring.v1.rs");
}

export_module!(RingB);

/// The module.
pub struct RingB {
    ctx: Context,
}

impl Module for RingB {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self { ctx })
    }

    fn routes() -> Routes<Self> {
        Routes::new()
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        Grpc::new().serve(RightServer::from_arc(Arc::clone(self)))
    }
}

#[tonic::async_trait]
impl Right for RingB {
    async fn back(&self, request: Request<BackRequest>) -> Result<Response<BackResponse>, Status> {
        let channel = self.ctx.channel("ring-a").map_err(|fault| Status::internal(fault.to_string()))?;
        let turn = TurnRequest {
            how: request.into_inner().how,
        };
        let back = match LeftClient::new(channel).turn(turn).await {
            Ok(answer) => BackResponse {
                rows: answer.into_inner().rows,
                error: String::new(),
            },
            Err(status) => BackResponse {
                rows: 0,
                error: status.message().to_owned(),
            },
        };
        Ok(Response::new(back))
    }
}
