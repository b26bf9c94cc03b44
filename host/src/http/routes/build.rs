//! Building a route table, and everything that can be wrong with what modules bring.

use std::collections::HashMap;
use std::sync::Arc;

use http::{HeaderValue, Method};

use super::{Document, Entry, Methods, Mount, Mounted, RouteTable, Service};
use crate::domain::finding::{Finding, Severity, Stage};
use crate::domain::route::{GrpcMethod, Lane, Route};
use crate::modules::control::RouteRow;

/// First segments of paths that the host answers itself.
const RESERVED_PREFIXES: [&str; 6] = ["/livez", "/readyz", "/metrics", "/admin", "/openapi.json", "/docs"];
/// gRPC packages that the host serves itself.
const RESERVED_PACKAGES: [&str; 2] = ["grpc.health.", "grpc.reflection."];

pub(super) fn build(mut modules: Vec<Mounted>) -> Result<RouteTable, Vec<Finding>> {
    modules.sort_by(|a, b| a.id.cmp(&b.id));
    let mut draft = Draft::default();
    for module in modules {
        draft.add(module);
    }
    draft.finish()
}

/// Routes of the host itself, which may have prefixes that modules may not.
pub(super) fn of_host(host: Mounted) -> Result<RouteTable, Vec<Finding>> {
    let mut draft = Draft {
        is_of_host: true,
        ..Draft::default()
    };
    draft.add(host);
    draft.finish()
}

#[derive(Default)]
struct Draft {
    is_of_host: bool,
    table: RouteTable,
    owner_of_prefix: HashMap<String, String>,
    owner_of_service: HashMap<String, Arc<str>>,
    findings: Vec<Finding>,
}

impl Draft {
    fn add(&mut self, module: Mounted) {
        let id: Arc<str> = Arc::from(module.id.as_str());
        if let Some(prefix) = &module.prefix {
            self.add_http(&id, prefix, &module);
        } else if !module.routes.is_empty() {
            self.wrong(
                "resolve.prefix",
                &id,
                format!("found {} HTTP routes and no prefix, expected a prefix", module.routes.len()),
                "without a prefix no path leads to the module".to_owned(),
                "add `prefix = \"/...\"` under [http] in wharf.toml".to_owned(),
            );
        }
        for method in &module.grpc {
            self.add_grpc(&id, method, &module);
        }
    }

    fn add_http(&mut self, id: &Arc<str>, prefix: &str, module: &Mounted) {
        if !self.claim_prefix(id, prefix) {
            return;
        }
        let prefix: Arc<str> = Arc::from(prefix);
        let mut paths: Vec<(&str, Methods)> = Vec::new();
        for route in &module.routes {
            let entry = Arc::new(Entry {
                module: Arc::clone(id),
                lane: Lane::Http,
                template: if route.template == "/" {
                    prefix.to_string()
                } else {
                    format!("{prefix}{}", route.template)
                },
                policy: route.policy.clone(),
                rate_class: route.rate_class.clone(),
                hidden: route.hidden,
                endpoint: Arc::clone(&module.endpoint),
                prefix: Arc::clone(&prefix),
                rpc: None,
            });
            self.table.rows.push(row(&entry, &route.method));
            let place = paths.iter().position(|(template, _)| *template == route.template);
            let methods = match place.and_then(|place| paths.get_mut(place)) {
                Some((_, methods)) => methods,
                None => {
                    paths.push((&route.template, Methods::default()));
                    let Some((_, methods)) = paths.last_mut() else { continue };
                    methods
                }
            };
            if let Err(what) = methods.add(route, entry) {
                self.wrong_route(id, route, what);
            }
        }
        let mut router = matchit::Router::new();
        for (template, mut methods) in paths {
            methods.allow = methods.allow_list().and_then(|list| HeaderValue::from_str(&list).ok());
            if let Err(error) = router.insert(template, methods) {
                self.wrong(
                    "create.route",
                    id,
                    format!(
                        "found route template {template:?}, which does not fit: {}",
                        error.to_string().to_lowercase()
                    ),
                    "the host could not tell which route a request is for".to_owned(),
                    "change the template in the module's router".to_owned(),
                );
            }
        }
        self.table.documents.extend(module.openapi.as_ref().map(|document| Document {
            module: Arc::clone(id),
            prefix: Arc::clone(&prefix),
            value: Arc::clone(document),
        }));
        self.table.mounts.push(Mount { prefix, paths: router });
    }

    fn add_grpc(&mut self, id: &Arc<str>, method: &GrpcMethod, module: &Mounted) {
        if !self.claim_service(id, method, module) {
            return;
        }
        let path = format!("/{}/{}", method.service, method.method);
        let service = module
            .descriptors
            .as_ref()
            .and_then(|pool| pool.get_service_by_name(&method.service));
        let rpc = service.and_then(|service| service.methods().find(|candidate| candidate.name() == method.method));
        let entry = Arc::new(Entry {
            module: Arc::clone(id),
            lane: Lane::Grpc,
            template: path.clone(),
            policy: method.policy.clone(),
            rate_class: method.rate_class.clone(),
            hidden: false,
            endpoint: Arc::clone(&module.endpoint),
            prefix: Arc::from(""),
            rpc,
        });
        self.table.rows.push(row(&entry, "POST"));
        if self.table.grpc.insert(path.into_boxed_str(), entry).is_some() {
            self.wrong(
                "create.route",
                id,
                format!("found gRPC method {}/{} twice, expected it once", method.service, method.method),
                "the host could not tell which policy holds".to_owned(),
                "list each gRPC method once".to_owned(),
            );
        }
    }

    fn claim_prefix(&mut self, id: &Arc<str>, prefix: &str) -> bool {
        let well_formed =
            prefix.len() > 1 && prefix.starts_with('/') && !prefix.ends_with('/') && !prefix.contains(['{', '}', '?', '#', '%', '*']);
        if !well_formed || prefix.contains("//") || (!self.is_of_host && is_reserved(prefix)) {
            let expected = if well_formed {
                "one that the host does not answer itself"
            } else {
                "`/name` without a slash at its end"
            };
            self.wrong(
                "resolve.prefix",
                id,
                format!("found prefix {prefix:?}, expected {expected}"),
                "no path would lead to the module".to_owned(),
                "change `prefix` under [http] in wharf.toml".to_owned(),
            );
            return false;
        }
        if let Some(owner) = self.owner_of_prefix.get(prefix) {
            let owner = owner.clone();
            self.wrong(
                "resolve.prefix",
                id,
                format!("found prefix {prefix:?} in modules {owner:?} and {id:?}, expected it in one"),
                "the host could not tell which module a request is for".to_owned(),
                "change `prefix` under [http] in the wharf.toml of one of them".to_owned(),
            );
            return false;
        }
        self.owner_of_prefix.insert(prefix.to_owned(), id.to_string());
        true
    }

    fn claim_service(&mut self, id: &Arc<str>, method: &GrpcMethod, module: &Mounted) -> bool {
        let service = &method.service;
        let taken = match self.owner_of_service.get(service) {
            Some(owner) if owner == id => return true,
            Some(owner) => Some(format!("module {owner:?}")),
            None if RESERVED_PACKAGES.iter().any(|package| service.starts_with(package)) => Some("the host".to_owned()),
            None => None,
        };
        if let Some(owner) = taken {
            self.wrong(
                "resolve.grpc-service",
                id,
                format!("found gRPC service {service:?} in {owner} and module {id:?}, expected it in one"),
                "the host could not tell which module a call is for".to_owned(),
                "rename the service's package, or take it out of `services` under [grpc] in wharf.toml".to_owned(),
            );
            return false;
        }
        self.owner_of_service.insert(service.clone(), Arc::clone(id));
        self.table.services.push(Service {
            name: Arc::from(service.as_str()),
            module: Arc::clone(id),
            descriptors: module.descriptors.clone(),
        });
        true
    }

    fn wrong_route(&mut self, id: &str, route: &Route, what: String) {
        self.wrong(
            "create.route",
            id,
            format!("{what}, in route {} {}", route.method, route.template),
            "the host could not tell which route a request is for".to_owned(),
            "change the route in the module's router".to_owned(),
        );
    }

    fn wrong(&mut self, code: &str, module: &str, what: String, why: String, fix: String) {
        let stage = if code.starts_with("resolve.") {
            Stage::Resolve
        } else {
            Stage::Create
        };
        self.findings.push(Finding {
            code: code.to_owned(),
            severity: Severity::Error,
            stage,
            module: Some(module.to_owned()),
            file: None,
            what,
            why,
            fix,
        });
    }

    /// A prefix that reads like a gRPC service would hide its methods from clients that call them with JSON.
    fn check_shadowing(&mut self) {
        let mut shadows: Vec<(String, Arc<str>)> = Vec::new();
        for service in &self.table.services {
            if let Some(owner) = self.owner_of_prefix.get(&format!("/{}", service.name)) {
                shadows.push((owner.clone(), Arc::clone(&service.name)));
            }
        }
        for (owner, service) in shadows {
            self.wrong(
                "resolve.prefix",
                &owner,
                format!("found prefix \"/{service}\", which is also the path of a gRPC service, expected another prefix"),
                "JSON calls of the gRPC service would go to the wrong place".to_owned(),
                "change `prefix` under [http] in wharf.toml".to_owned(),
            );
        }
    }

    fn finish(mut self) -> Result<RouteTable, Vec<Finding>> {
        self.check_shadowing();
        if !self.findings.is_empty() {
            return Err(self.findings);
        }
        self.table.mounts.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        let mut depths: Vec<usize> = self.table.mounts.iter().map(|mount| mount.prefix.matches('/').count()).collect();
        depths.sort_unstable_by(|a, b| b.cmp(a));
        depths.dedup();
        self.table.depths = depths;
        self.table.services.sort_by(|a, b| a.name.cmp(&b.name));
        self.table
            .rows
            .sort_by(|a, b| (&a.module, &a.path, &a.method).cmp(&(&b.module, &b.path, &b.method)));
        Ok(self.table)
    }
}

impl Methods {
    fn add(&mut self, route: &Route, entry: Arc<Entry>) -> Result<(), String> {
        if route.method == "*" {
            return match self.any.replace(entry) {
                None => Ok(()),
                Some(_) => Err("found it twice, expected it once".to_owned()),
            };
        }
        let method =
            Method::from_bytes(route.method.as_bytes()).map_err(|_| format!("found method {:?}, expected an HTTP method", route.method))?;
        if method.as_str().bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Err(format!("found method {:?}, expected it in upper case", route.method));
        }
        if self.listed.iter().any(|(listed, _)| *listed == method) {
            return Err("found it twice, expected it once".to_owned());
        }
        self.listed.push((method, entry));
        Ok(())
    }

    /// None when there is nothing to show.
    fn allow_list(&self) -> Option<String> {
        let shown = self.listed.iter().filter(|(_, entry)| !entry.hidden);
        let mut names: Vec<&str> = shown.map(|(method, _)| method.as_str()).collect();
        if names.is_empty() {
            return None;
        }
        if names.contains(&"GET") {
            names.push("HEAD");
        }
        names.push("OPTIONS");
        names.sort_unstable();
        names.dedup();
        Some(names.join(", "))
    }
}

/// The host answers below these itself.
fn is_reserved(prefix: &str) -> bool {
    let is_below = |reserved: &str| {
        prefix
            .strip_prefix(reserved)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    RESERVED_PREFIXES.iter().any(|reserved| is_below(reserved))
}

fn row(entry: &Entry, method: &str) -> RouteRow {
    RouteRow {
        module: entry.module.to_string(),
        lane: entry.lane,
        method: method.to_owned(),
        path: entry.template.clone(),
        policy: entry.policy.clone(),
        hidden: entry.hidden,
    }
}
