//! Traffic through the real binary and real libraries: streams and their memory, gRPC by tonic's own client, calls between
//! modules in both modes of the channel, a module that is swapped while requests run,
//! and modules that were built when the ABI was frozen.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests"
)]

#[path = "traffic/channel.rs"]
mod channel;
#[path = "traffic/client.rs"]
mod client;
#[path = "traffic/connect.rs"]
mod connect;
#[path = "traffic/frozen.rs"]
mod frozen;
#[path = "traffic/grpc.rs"]
mod grpc;
#[path = "traffic/reload.rs"]
mod reload;
#[path = "traffic/streams.rs"]
mod streams;
#[path = "traffic/surfaces.rs"]
mod surfaces;

/// The greeter's API, as a client generates it from its `.proto`.
mod v1 {
    #![allow(clippy::all, clippy::allow_attributes_without_reason, reason = "generated code")]

    include!("../../plugins/greeter/src/gen/greeter.v1.rs");
}
