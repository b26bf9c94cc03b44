//! What this module asks of `authz`: whether somebody holds a permission in another tenant.

use tonic::{Code, Status};
use wharf_proto::authz::v1 as pb;
use wharf_proto::authz::v1::decisions_client::DecisionsClient;
use wharf_sdk::Context;

use crate::error::{Error, Result};

const AUTHZ: &str = "authz";

/// A client of `authz`, in this module's own name.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    ctx: Context,
}

impl Rules {
    pub(crate) fn new(ctx: &Context) -> Self {
        Self { ctx: ctx.clone() }
    }

    /// Whether somebody holds a permission in a tenant; `*`: in all of them. Nobody does where the rules are not known.
    pub(crate) async fn holds(&self, subject: &str, tenant: &str, permission: &str) -> Result<bool> {
        #[cfg(test)]
        if subject == crate::tests::ROOT {
            return Ok(true);
        }
        let asked = pb::CheckRequest {
            subject: subject.to_owned(),
            tenant: tenant.to_owned(),
            permission: permission.to_owned(),
            ..pb::CheckRequest::default()
        };
        let answer = DecisionsClient::new(self.ctx.own().channel(AUTHZ)?).check(asked).await;
        answer.map(|answer| answer.into_inner().allowed).map_err(away)
    }
}

fn away(status: Status) -> Error {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Unimplemented => {
            Error::Unavailable("the module authz does not answer; try again later".to_owned())
        }
        _ => Error::Unavailable(format!("the module authz refused: {}", status.message())),
    }
}
