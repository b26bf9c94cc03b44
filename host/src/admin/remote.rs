//! The admin API on the public listener: the same routes, each under a permission.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri};
use tower_service::Service;

use super::audit::AdminCaller;
use crate::domain::finding::Finding;
use crate::domain::route::{Lane, Policy, Route};
use crate::http::body::Body;
use crate::http::routes::{Mounted, RouteTable};
use crate::modules::endpoint::{CallInfo, Endpoint, Refused, Responding};
use crate::security::sources::{DeclaredPermissions, Permission};

/// What the host is called where modules are listed.
const HOST: &str = "wharf";
/// Where the API is.
const PREFIX: &str = "/admin/v1";

/// Permissions of the API.
const PERMISSIONS: &[(&str, &str)] = &[
    (
        "wharf.module.read",
        "see modules, routes, migrations, databases, blobs and the state of the host",
    ),
    ("wharf.module.write", "enable, disable, pin, reload and migrate modules"),
    ("wharf.log.read", "see the levels of the log"),
    ("wharf.log.write", "change the levels of the log"),
    ("wharf.config.read", "see the configuration in force, without secrets"),
    ("wharf.trace.read", "see what requests, events and jobs of all callers did"),
    ("wharf.event.read", "see events and their deliveries"),
    ("wharf.event.write", "retry, replay and purge deliveries"),
    ("wharf.job.read", "see jobs and their runs"),
    ("wharf.job.write", "run, pause and resume jobs"),
    ("wharf.mail.read", "see mail that modules send"),
    ("wharf.mail.write", "try mail again"),
];

/// Every route that is served remotely, and the permission it needs. What is not here is not served.
const ROUTES: &[(&str, &str, &str)] = &[
    ("GET", "/status", "wharf.module.read"),
    ("GET", "/modules", "wharf.module.read"),
    ("GET", "/modules/{id}", "wharf.module.read"),
    ("POST", "/modules/{id}/enable", "wharf.module.write"),
    ("POST", "/modules/{id}/disable", "wharf.module.write"),
    ("PUT", "/modules/{id}/pin", "wharf.module.write"),
    ("POST", "/modules/{id}/reload", "wharf.module.write"),
    ("GET", "/plan", "wharf.module.read"),
    ("GET", "/routes", "wharf.module.read"),
    ("GET", "/migrations", "wharf.module.read"),
    ("POST", "/migrations/up", "wharf.module.write"),
    ("GET", "/databases", "wharf.module.read"),
    ("GET", "/blobs", "wharf.module.read"),
    ("POST", "/rescan", "wharf.module.write"),
    ("GET", "/security", "wharf.module.read"),
    ("GET", "/log", "wharf.log.read"),
    ("PUT", "/log", "wharf.log.write"),
    ("GET", "/config/explain", "wharf.config.read"),
    ("GET", "/traces", "wharf.trace.read"),
    ("GET", "/traces/{id}", "wharf.trace.read"),
    ("GET", "/events/deliveries", "wharf.event.read"),
    ("GET", "/events/published", "wharf.event.read"),
    ("GET", "/events/subscriptions", "wharf.event.read"),
    ("GET", "/events/schemas", "wharf.event.read"),
    ("POST", "/events/retry", "wharf.event.write"),
    ("POST", "/events/purge", "wharf.event.write"),
    ("PUT", "/events/replay/{module}/{subscription}", "wharf.event.write"),
    ("GET", "/jobs", "wharf.job.read"),
    ("GET", "/jobs/history", "wharf.job.read"),
    ("PUT", "/jobs/{module}/{job}/run", "wharf.job.write"),
    ("POST", "/jobs/{module}/{job}/pause", "wharf.job.write"),
    ("POST", "/jobs/{module}/{job}/resume", "wharf.job.write"),
    ("GET", "/mail", "wharf.mail.read"),
    ("POST", "/mail/retry", "wharf.mail.write"),
];

/// The routes of the API over this router, for [`Gateway::with_own`](crate::http::gateway::Gateway::with_own). Calls of core modules as
/// the host are not among them: who comes from outside calls them in a name of their own.
///
/// # Errors
/// Findings when the table is at odds with itself, which a test rules out.
pub fn remote_routes(router: Router) -> Result<RouteTable, Vec<Finding>> {
    let route = |(method, template, permission): &(&str, &str, &str)| Route {
        method: (*method).to_owned(),
        template: (*template).to_owned(),
        policy: Policy::Require((*permission).to_owned()),
        rate_class: None,
        hidden: false,
    };
    RouteTable::of_host(Mounted {
        id: HOST.to_owned(),
        prefix: Some(PREFIX.to_owned()),
        routes: ROUTES.iter().map(route).collect(),
        grpc: Vec::new(),
        endpoint: Arc::new(Api(router)),
        descriptors: None,
        openapi: None,
    })
}

/// What the host declares, like a module.
#[must_use]
pub fn host_permissions() -> DeclaredPermissions {
    let permission = |(name, description): &(&str, &str)| Permission {
        name: (*name).to_owned(),
        description: (*description).to_owned(),
        installation: true,
    };
    DeclaredPermissions {
        module: HOST.to_owned(),
        permissions: PERMISSIONS.iter().map(permission).collect(),
    }
}

struct Api(Router);

impl Endpoint for Api {
    fn call(&self, _: Lane, mut request: Request<Body>, info: CallInfo) -> Result<Responding, Box<Refused>> {
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        if let Ok(uri) = Uri::try_from([PREFIX, path].concat()) {
            *request.uri_mut() = uri;
        }
        request.extensions_mut().insert(AdminCaller::of(&info));
        let answer = self.0.clone().call(request);
        Ok(Box::pin(async move {
            let answer: Result<Response<axum::body::Body>, Infallible> = answer.await;
            match answer {
                Ok(response) => response.map(Body::new),
                Err(never) => match never {},
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_route_needs_a_permission_that_is_declared_and_every_permission_is_needed() {
        let table = remote_routes(Router::new()).unwrap();
        assert_eq!(table.rows().len(), ROUTES.len());
        let needed = |name: &str| ROUTES.iter().any(|(_, _, permission)| *permission == name);
        for (name, description) in PERMISSIONS {
            assert!(needed(name) && !description.is_empty(), "{name}");
        }
        for (method, template, permission) in ROUTES {
            assert!(PERMISSIONS.iter().any(|(name, _)| name == permission), "{template}");
            let is_read = *method == "GET";
            assert_eq!(permission.ends_with(".read"), is_read, "{method} {template}");
        }
    }
}
