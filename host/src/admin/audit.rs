//! Who changed what over the admin API, in the audit log.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use wharf_proto::audit::v1::Outcome;

use super::problem::Problem;
use crate::modules::endpoint::CallInfo;
use crate::security::record::{Deed, NotRecorded, Recorder};

/// Calls of core modules, as the host. What they change the modules record themselves; who asked for it the host does.
const CALLS: &str = "/admin/v1/call/";
/// Methods that change nothing, and what the others of them begin with.
const READS: ([&str; 4], [&str; 4]) = (["Me", "Verify", "WhoAmI", "Why"], ["Check", "Export", "Get", "List"]);

/// How changes are recorded.
#[derive(Clone, Debug)]
pub struct AdminAudit {
    /// Writes.
    pub recorder: Recorder,
    /// Whether nothing is changed that cannot be recorded.
    pub closed: bool,
}

/// Who asks; an extension of the request. Without one it is whoever may use the admin socket.
#[derive(Clone, Debug, Default)]
pub(super) struct AdminCaller {
    subject: String,
    tenant: String,
    session: String,
    from: String,
    request_id: String,
}

impl AdminCaller {
    pub(super) fn of(info: &CallInfo) -> Self {
        let identity = info.principal.identity();
        Self {
            subject: info.principal.subject().to_owned(),
            tenant: identity.map(|identity| identity.tenant.clone()).unwrap_or_default(),
            session: identity.and_then(|identity| identity.session.clone()).unwrap_or_default(),
            from: info.peer.map(|peer| peer.ip().to_string()).unwrap_or_default(),
            request_id: info.request_id.to_string(),
        }
    }

    /// Somebody on this machine, as the kernel says.
    pub(super) fn on_this_machine(uid: u32) -> Self {
        Self {
            subject: "host".to_owned(),
            from: format!("admin socket, uid {uid}"),
            ..Self::default()
        }
    }

    fn deed(self, method: &Method, path: &str, outcome: Outcome, reason: String) -> Deed {
        let (action, object) = match path.strip_prefix(CALLS) {
            Some(called) => ("wharf.admin.call".to_owned(), called),
            None => (format!("wharf.admin.{}", method.as_str().to_lowercase()), path),
        };
        Deed {
            actor: self.subject,
            tenant: self.tenant,
            action,
            object: object.to_owned(),
            outcome,
            reason,
            from: self.from,
            request_id: self.request_id,
            session: self.session,
        }
    }
}

/// Records every change that is asked for over this router.
pub fn audited(router: Router, audit: AdminAudit) -> Router {
    router.layer(from_fn_with_state(audit, record))
}

async fn record(State(audit): State<AdminAudit>, request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    if matches!(method, Method::GET | Method::HEAD | Method::OPTIONS) || is_read(&path) {
        return next.run(request).await;
    }
    let caller = request.extensions().get::<AdminCaller>().cloned().unwrap_or_default();
    // What brings the audit log back must not need it.
    let is_call = path.starts_with(CALLS);
    if audit.closed && !is_call && !path.starts_with("/admin/v1/modules/audit/") {
        let asked = caller.clone().deed(&method, &path, Outcome::Unspecified, "asked for".to_owned());
        if let Err(NotRecorded::Refused(why)) = audit.recorder.record(asked).await {
            return Problem::new(
                "audit.unavailable",
                format!("nothing was changed: it cannot be recorded: {why}"),
                "mend module audit, or set audit.on_failure = \"open\"",
            )
            .into_response();
        }
    }
    let response = next.run(request).await;
    let (outcome, reason) = match response.status() {
        status if status.is_success() => (Outcome::Success, String::new()),
        status => (Outcome::Failure, format!("answered {status}")),
    };
    match audit.recorder.record(caller.deed(&method, &path, outcome, reason)).await {
        Ok(()) | Err(NotRecorded::Absent) => {}
        Err(error) => tracing::error!(error = %error, path, "a change over the admin API was made and is not recorded"),
    }
    response
}

/// Whether it calls a method that changes nothing.
fn is_read(path: &str) -> bool {
    let method = path.strip_prefix(CALLS).and_then(|called| called.rsplit('/').next());
    let (names, beginnings) = READS;
    method.is_some_and(|method| names.contains(&method) || beginnings.iter().any(|read| method.starts_with(read)))
}
