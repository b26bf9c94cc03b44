//! A host for tests.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Request, Response};
use tempfile::TempDir;
use wharf_host::domain::status::ModuleStatus;
use wharf_host::host::Host;
use wharf_host::http::body::Body;
use wharf_host::http::gateway::Gateway;
use wharf_host::http::outbound::ServedBody;
use wharf_host::ports::mail::{Mail, MemoryMailer};
use wharf_host::security::Kind;
use wharf_host::telemetry::Captured;

use crate::answer::Answer;
use crate::builder::{Builder, Shared};
use crate::caller::Caller;
use crate::channel::Channel;
use crate::events::Events;

/// How long modules may take to stop.
const STOP: Duration = Duration::from_secs(10);

/// A running host without sockets. Any number of them live side by side in one process. Dropping it drops its modules;
/// [`TestHost::stop`] stops them first. What modules logged is printed when a test fails.
#[must_use = "dropping it ends its modules"]
pub struct TestHost {
    host: Host,
    gateway: Arc<Gateway>,
    mailer: MemoryMailer,
    logs: Captured,
    shared: Shared,
    _folder: TempDir,
}

impl TestHost {
    /// Says what the host is made of.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(host: Host, mailer: MemoryMailer, logs: Captured, folder: TempDir, shared: Shared) -> Self {
        Self {
            gateway: Arc::new(host.gateway()),
            host,
            mailer,
            logs,
            shared,
            _folder: folder,
        }
    }

    /// Mails that modules have sent, oldest first.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        self.mailer.sent()
    }

    /// The first mail to an address, as soon as it is sent.
    ///
    /// # Panics
    /// When there is none within ten seconds; the message has those there are.
    pub async fn mail_to(&self, address: &str) -> Mail {
        let until = Instant::now() + STOP;
        loop {
            let mails = self.mails();
            if let Some(mail) = mails.iter().find(|mail| mail.to.iter().any(|to| to.contains(address))) {
                return mail.clone();
            }
            assert!(Instant::now() < until, "no mail to {address} within {STOP:?}; there are {mails:#?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// GET of a path, with the prefix of the module: `/hello/Ada`.
    ///
    /// # Panics
    /// When the path is none.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(new_request(Method::GET, path, Body::empty())).await
    }

    /// POST of a JSON body.
    ///
    /// # Panics
    /// When the path is none.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Answer {
        self.request(json_request(path, body)).await
    }

    /// A user who calls, as if a token had said so. Without a name the callers of a test host are anonymous. Rules are those of
    /// [`Builder::allow`] and its like.
    pub fn as_user(&self, id: &str) -> Caller<'_> {
        Caller::new(self, Kind::User, id)
    }

    /// The same for a service account.
    pub fn as_service(&self, id: &str) -> Caller<'_> {
        Caller::new(self, Kind::Service, id)
    }

    /// Any request, answered to the end. `Request::builder()...body(Body::full("text"))` makes one.
    ///
    /// # Panics
    /// When the body of the answer breaks off.
    pub async fn request(&self, request: Request<Body>) -> Answer {
        Answer::read(self.open(request).await).await
    }

    /// Any request, answered as far as the head: the body of the response is read by the caller, frame by frame. Dropping
    /// the future or the body is what a client does that hangs up.
    pub async fn open(&self, request: Request<Body>) -> Response<ServedBody> {
        Arc::clone(&self.gateway).handle(request, None).await
    }

    /// A channel for clients that tonic generated: `GreeterClient::new(host.grpc())`.
    #[must_use]
    pub fn grpc(&self) -> Channel {
        Channel::new(Arc::clone(&self.gateway))
    }

    /// What the modules logged; `logs().wait_for(..)` waits for a line. Events of the host itself are not in it. An event of
    /// a linked-in module counts when it is made in an entry point of the module (a handler, `init`, ...), not in a task it
    /// spawned: such a task runs in the test's runtime, where the host does not see it.
    pub fn logs(&self) -> &Captured {
        &self.logs
    }

    /// Status of a module.
    ///
    /// # Panics
    /// When the host has no module of that id.
    #[must_use]
    #[allow(clippy::panic, reason = "this is an assertion for tests")]
    pub fn status(&self, id: &str) -> ModuleStatus {
        let modules = self.host.host_status().modules;
        let ids: Vec<_> = modules.iter().map(|module| module.id.clone()).collect();
        match modules.into_iter().find(|module| module.id == id) {
            Some(status) => status,
            None => panic!("found no module {id:?}, expected one of {ids:?}"),
        }
    }

    /// Moves the time of this host, and of those beside it, forward: what is cached expires, leases end.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// What was published and what became of it.
    pub fn events(&self) -> Events<'_> {
        Events::new(&self.host)
    }

    /// Waits until nothing is to be relayed, handled or run any more: what is due later, and dead letters, stay.
    ///
    /// # Panics
    /// When something is still due after half a minute.
    pub async fn settle_events(&self) {
        self.events().settle().await;
    }

    /// Runs a job of a module now, and waits until it has run.
    ///
    /// # Panics
    /// When there is no such job, or it has not run after half a minute.
    pub async fn run_job(&self, module: &str, job: &str) {
        self.events().run_job(module, job).await;
    }

    /// The host itself: `enable`, `disable`, `reload` and the like through `wharf_host::modules::control::Control`.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Stops all modules, in reverse order. Returns those that did not end cleanly within ten seconds.
    #[must_use]
    pub async fn stop(self) -> Vec<String> {
        self.host.stop(Instant::now() + STOP).await
    }
}

impl Drop for TestHost {
    #[allow(clippy::print_stderr, reason = "for whoever reads why a test failed")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in self.logs.lines() {
                eprintln!("{line}");
            }
        }
    }
}

impl std::fmt::Debug for TestHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("TestHost").field(&self.host).finish()
    }
}

pub(crate) fn json_request(path: &str, body: &serde_json::Value) -> Request<Body> {
    let mut request = new_request(Method::POST, path, Body::full(body.to_string()));
    let kind = http::HeaderValue::from_static("application/json");
    request.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    request
}

#[allow(clippy::panic, reason = "this is an assertion for tests")]
pub(crate) fn new_request(method: Method, path: &str, body: Body) -> Request<Body> {
    match Request::builder().method(method).uri(path).body(body) {
        Ok(request) => request,
        Err(error) => panic!("{path:?} is no path of a request: {error}"),
    }
}
