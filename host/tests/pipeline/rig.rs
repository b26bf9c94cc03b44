//! A gateway over a route table with one module and stand-ins for `auth`, `authz` and `audit`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use prost_reflect::DescriptorPool;
use tokio::sync::watch;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::WatchStream;
use tonic::Status;
use tower::Service;
use wharf_host::domain::route::{Lane, Policy, Route};
use wharf_host::grpc::policy::methods_from_pool;
use wharf_host::http::body::Body;
use wharf_host::http::gateway::Gateway;
use wharf_host::http::routes::{Mounted, RouteTable, Routes};
use wharf_host::modules::endpoint::{CallInfo, Endpoint, Refused, Responding};
use wharf_host::modules::mesh::Mesh;
use wharf_host::ports::clock::SystemClock;
use wharf_host::security::sources::{DeclaredPermissions, Permission, Surroundings, Watching};
use wharf_host::security::{Security, SecuritySettings, Source, Standing};
use wharf_proto::auth::v1 as auth;
use wharf_proto::authz::v1 as authz;

use crate::signer::{AUDIENCE, ISSUER, Signer};

type Messages<T> = std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<T, Status>> + Send>>;

/// What the stand-ins say, and what they heard.
#[derive(Clone)]
pub struct Core {
    pub keys: watch::Sender<auth::KeySet>,
    pub revoked: watch::Sender<auth::RevocationsUpdate>,
    pub policy: watch::Sender<authz::PolicyUpdate>,
    pub key_checks: Arc<AtomicUsize>,
    pub reported: Arc<Mutex<Vec<authz::ReportPermissionsRequest>>>,
}

#[tonic::async_trait]
impl auth::keys_server::Keys for Core {
    type WatchStream = Messages<auth::KeySet>;

    async fn watch(&self, _: tonic::Request<auth::WatchKeysRequest>) -> Result<tonic::Response<Self::WatchStream>, Status> {
        Ok(tonic::Response::new(Box::pin(WatchStream::new(self.keys.subscribe()).map(Ok))))
    }
}

#[tonic::async_trait]
impl auth::revocations_server::Revocations for Core {
    type WatchStream = Messages<auth::RevocationsUpdate>;

    async fn watch(&self, _: tonic::Request<auth::WatchRevocationsRequest>) -> Result<tonic::Response<Self::WatchStream>, Status> {
        Ok(tonic::Response::new(Box::pin(WatchStream::new(self.revoked.subscribe()).map(Ok))))
    }
}

#[tonic::async_trait]
impl auth::tokens_server::Tokens for Core {
    async fn check_api_key(
        &self,
        request: tonic::Request<auth::CheckApiKeyRequest>,
    ) -> Result<tonic::Response<auth::CheckApiKeyResponse>, Status> {
        self.key_checks.fetch_add(1, Ordering::SeqCst);
        let (id, subject) = match request.get_ref().key.as_str() {
            "wharf_good" => ("k1", "service:robot"),
            "wharf_host" => ("k2", "host"),
            "wharf_broken" => return Err(Status::internal("no")),
            _ => return Err(Status::not_found("unknown")),
        };
        Ok(tonic::Response::new(auth::CheckApiKeyResponse {
            id: id.to_owned(),
            subject: subject.to_owned(),
            tenant: "default".to_owned(),
            name: "Robot".to_owned(),
            ..Default::default()
        }))
    }
}

#[tonic::async_trait]
impl authz::policy_server::Policy for Core {
    type WatchStream = Messages<authz::PolicyUpdate>;

    async fn watch(&self, _: tonic::Request<authz::WatchPolicyRequest>) -> Result<tonic::Response<Self::WatchStream>, Status> {
        Ok(tonic::Response::new(Box::pin(WatchStream::new(self.policy.subscribe()).map(Ok))))
    }

    async fn report_permissions(
        &self,
        request: tonic::Request<authz::ReportPermissionsRequest>,
    ) -> Result<tonic::Response<authz::ReportPermissionsResponse>, Status> {
        self.reported.lock().unwrap().push(request.into_inner());
        Ok(tonic::Response::new(authz::ReportPermissionsResponse {}))
    }
}

/// A tonic service as an endpoint.
struct Served(tonic::service::Routes);

impl Endpoint for Served {
    fn call(&self, _: Lane, request: Request<Body>, _: CallInfo) -> Result<Responding, Box<Refused>> {
        let mut routes = self.0.clone();
        Ok(Box::pin(async move {
            let answer: Result<_, Infallible> = routes.call(request).await.map_err(|never| match never {});
            let Ok(response) = answer;
            response.map(Body::new)
        }))
    }
}

/// Says who called, and what of the request it saw.
struct Who(Mutex<HeaderMap>);

impl Endpoint for Who {
    fn call(&self, _: Lane, request: Request<Body>, info: CallInfo) -> Result<Responding, Box<Refused>> {
        let seen = request.headers().contains_key("authorization");
        let mut response = Response::new(Body::full(format!("{} token={seen}", info.principal.subject())));
        *response.headers_mut() = self.0.lock().unwrap().clone();
        Ok(Box::pin(async { response }))
    }
}

pub struct Rig {
    pub core: Core,
    pub security: Security,
    pub gateway: Arc<Gateway>,
    pub routes: Arc<Routes>,
    pub signer: Signer,
    who: Arc<Who>,
    watching: Option<Watching>,
}

/// An answer, read.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Rig {
    /// With all core modules, heard of.
    pub async fn start() -> Self {
        Self::with(Duration::from_secs(60), |gateway| gateway).await
    }

    pub async fn with(max_staleness: Duration, adapt: impl FnOnce(Gateway) -> Gateway) -> Self {
        let rig = Self::silent(max_staleness, adapt);
        rig.serve(&["auth", "authz"]);
        rig.until("the sources are heard of", |rig| {
            Source::ALL.iter().all(|source| rig.standing(*source) == Standing::Fresh)
        })
        .await;
        rig
    }

    /// Without core modules.
    pub fn silent(max_staleness: Duration, adapt: impl FnOnce(Gateway) -> Gateway) -> Self {
        let signer = Signer::ed25519("k1");
        let core = Core {
            keys: watch::channel(keys(&[&signer])).0,
            revoked: watch::channel(revocations(1, Vec::new())).0,
            policy: watch::channel(policy(
                1,
                &[("user:reader", "notes.note.read", "*"), ("user:owner", "notes.note.read", "own")],
            ))
            .0,
            key_checks: Arc::default(),
            reported: Arc::default(),
        };
        let settings = SecuritySettings {
            max_staleness,
            ..SecuritySettings::default()
        };
        let security = Security::guarded(settings, Arc::new(SystemClock));
        let routes = Arc::new(Routes::new());
        let mesh = Arc::new(Mesh::new(routes.clone(), security.authorizer.clone()));
        let watching = security.sources.as_ref().unwrap().watch(&Surroundings {
            node: "n1".to_owned(),
            channels: mesh,
            routes: routes.clone(),
            permissions: Arc::new(|| {
                vec![DeclaredPermissions {
                    module: "notes".to_owned(),
                    permissions: vec![Permission {
                        name: "notes.note.read".to_owned(),
                        description: "read notes".to_owned(),
                        installation: false,
                    }],
                }]
            }),
        });
        let gateway = Gateway::new(routes.clone()).with_gatekeeper(security.gatekeeper.clone());
        let rig = Self {
            core,
            security,
            gateway: Arc::new(adapt(gateway)),
            routes,
            signer,
            who: Arc::new(Who(Mutex::default())),
            watching: Some(watching),
        };
        rig.serve(&[]);
        rig
    }

    /// Puts these core modules, and the module `notes`, into the route table: a new instance of each.
    pub fn serve(&self, modules: &[&str]) {
        let pool = DescriptorPool::decode(wharf_proto::DESCRIPTORS).unwrap();
        let core = |id: &str, services: &[&str], served: tonic::service::Routes| Mounted {
            id: id.to_owned(),
            prefix: None,
            routes: Vec::new(),
            grpc: methods_from_pool(&pool, &services.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap(),
            endpoint: Arc::new(Served(served)),
            descriptors: Some(pool.clone()),
            openapi: None,
        };
        let mut mounted = vec![self.notes()];
        for module in modules {
            let this = self.core.clone();
            mounted.push(match *module {
                "auth" => core(
                    "auth",
                    &["wharf.auth.v1.Keys", "wharf.auth.v1.Revocations", "wharf.auth.v1.Tokens"],
                    tonic::service::Routes::new(auth::keys_server::KeysServer::new(this.clone()))
                        .add_service(auth::revocations_server::RevocationsServer::new(this.clone()))
                        .add_service(auth::tokens_server::TokensServer::new(this)),
                ),
                "authz" => core(
                    "authz",
                    &["wharf.authz.v1.Policy"],
                    tonic::service::Routes::new(authz::policy_server::PolicyServer::new(this)),
                ),
                other => panic!("no stand-in for {other}"),
            });
        }
        self.routes.swap(RouteTable::build(mounted).unwrap());
    }

    fn notes(&self) -> Mounted {
        let route = |method: &str, template: &str, policy: Policy, class: Option<&str>| Route {
            method: method.to_owned(),
            template: template.to_owned(),
            policy,
            rate_class: class.map(str::to_owned),
            hidden: false,
        };
        let hidden = |method: &str, template: &str, policy: Policy| Route {
            hidden: true,
            ..route(method, template, policy, None)
        };
        let read = || Policy::Require("notes.note.read".to_owned());
        Mounted {
            id: "notes".to_owned(),
            prefix: Some("/notes".to_owned()),
            routes: vec![
                route("GET", "/public", Policy::Public, None),
                route("GET", "/known", Policy::Authenticated, None),
                route("GET", "/read", read(), None),
                route("GET", "/read/{id}", read(), None),
                route("POST", "/login", Policy::Public, Some("login")),
                route("GET", "/odd", Policy::Public, Some("nobody-configured-it")),
                hidden("GET", "/secret/{id}", read()),
                hidden("POST", "/secret/{id}", Policy::Authenticated),
                route("GET", "/half", Policy::Public, None),
                hidden("DELETE", "/half", read()),
                hidden("*", "/all", read()),
            ],
            grpc: Vec::new(),
            endpoint: self.who.clone(),
            descriptors: None,
            openapi: None,
        }
    }

    /// What the module answers with from now on.
    pub fn answer_with(&self, name: &'static str, value: &'static str) {
        self.who.0.lock().unwrap().insert(name, value.parse().unwrap());
    }

    pub async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Body::empty()).unwrap(), "9.9.9.9:1").await
    }

    pub async fn send(&self, request: Request<Body>, peer: &str) -> Answer {
        let peer: SocketAddr = peer.parse().unwrap();
        let (head, body) = self.gateway.clone().handle(request, Some(peer)).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub fn standing(&self, source: Source) -> Standing {
        self.security.sources.as_ref().unwrap().freshness.standing(source)
    }

    /// The core modules fall silent.
    pub fn stop_watching(&mut self) {
        drop(self.watching.take());
    }

    pub async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !is_so(self) {
            assert!(Instant::now() < deadline, "not in ten seconds: {what}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Asks until the answer has this status, at most a second: what all nodes must know by then.
    pub async fn soon(&self, path: &str, token: Option<&str>, status: u16) {
        let started = Instant::now();
        loop {
            let answer = self.get(path, token).await;
            if answer.status == status {
                return;
            }
            assert!(started.elapsed() < Duration::from_secs(1), "{path}: {answer:?}, expected {status}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

pub fn keys(signers: &[&Signer]) -> auth::KeySet {
    auth::KeySet {
        epoch: 1,
        issuer: ISSUER.to_owned(),
        audience: AUDIENCE.to_owned(),
        keys: signers.iter().map(|signer| signer.published()).collect(),
    }
}

pub fn revocations(epoch: u64, what: Vec<auth::revocation::What>) -> auth::RevocationsUpdate {
    let before = Some(prost_types::Timestamp {
        seconds: crate::signer::now() + 5,
        nanos: 0,
    });
    let one = |what| auth::Revocation {
        what: Some(what),
        before,
        forget: None,
    };
    auth::RevocationsUpdate {
        epoch,
        snapshot: true,
        revocations: what.into_iter().map(one).collect(),
    }
}

pub fn policy(epoch: u64, rules: &[(&str, &str, &str)]) -> authz::PolicyUpdate {
    let rule = |(subject, permission, resource): &(&str, &str, &str)| authz::Rule {
        subject: (*subject).to_owned(),
        tenant: "*".to_owned(),
        permission: (*permission).to_owned(),
        resource: (*resource).to_owned(),
        deny: false,
    };
    authz::PolicyUpdate {
        epoch,
        snapshot: true,
        rules_added: rules.iter().map(rule).collect(),
        ..Default::default()
    }
}
