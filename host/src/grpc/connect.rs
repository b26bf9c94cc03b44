//! placeholder
use crate::http::{
    body::Body,
    gateway::{Clock, Gateway, Refusal},
    problem::ErrorKind,
    routes::Entry,
};
use crate::modules::endpoint::CallInfo;
use http::{Response, request::Parts};
use std::sync::Arc;
pub(crate) async fn serve(
    _g: &Gateway,
    _e: &Arc<Entry>,
    _h: Parts,
    _b: Body,
    _i: CallInfo,
    _c: &Clock,
    _json: bool,
) -> Result<Response<Body>, Refusal> {
    Err(Refusal::new(ErrorKind::NotImplemented, "not yet"))
}
