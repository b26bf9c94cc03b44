//! Requests in the name of somebody.

use http::{Method, Request, Response};
use wharf_host::http::body::Body;
use wharf_host::http::outbound::ServedBody;
use wharf_host::security::{About, Kind, Principal};

use crate::answer::Answer;
use crate::channel::Channel;
use crate::host::{TestHost, json_request, new_request};

/// Somebody who calls a [`TestHost`], as if a token had said so. What they may do is what the rules of the test say.
///
/// ```no_run
/// # async fn test(host: wharf_testing::TestHost) {
/// let ada = host.as_user("ada").of_tenant("acme");
/// assert_eq!(ada.get("/blog/posts").await.status, 200);
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it asks nothing by itself"]
pub struct Caller<'a> {
    host: &'a TestHost,
    kind: Kind,
    id: String,
    about: About,
}

impl<'a> Caller<'a> {
    pub(crate) fn new(host: &'a TestHost, kind: Kind, id: &str) -> Self {
        let about = About {
            tenant: "default".to_owned(),
            ..About::default()
        };
        Self {
            host,
            kind,
            id: id.to_owned(),
            about,
        }
    }

    /// In another tenant than `default`.
    pub fn of_tenant(mut self, tenant: &str) -> Self {
        tenant.clone_into(&mut self.about.tenant);
        self
    }

    /// With a token of this session.
    pub fn in_session(mut self, session: &str) -> Self {
        self.about.session = Some(session.to_owned());
        self
    }

    /// With a token that is restricted to these permissions, which may be globs.
    pub fn with_scopes(mut self, scopes: &[&str]) -> Self {
        self.about.scopes = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        self
    }

    /// `user:ada`: as rules and owners name it.
    #[must_use]
    pub fn subject(&self) -> String {
        self.principal().subject().to_owned()
    }

    fn principal(&self) -> Principal {
        Principal::known(self.kind, &self.id, self.about.clone())
    }

    /// As [`TestHost::get`].
    ///
    /// # Panics
    /// When the path is none.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(new_request(Method::GET, path, Body::empty())).await
    }

    /// As [`TestHost::post`].
    ///
    /// # Panics
    /// When the path is none.
    pub async fn post(&self, path: &str, body: &serde_json::Value) -> Answer {
        self.request(json_request(path, body)).await
    }

    /// DELETE of a path.
    ///
    /// # Panics
    /// When the path is none.
    pub async fn delete(&self, path: &str) -> Answer {
        self.request(new_request(Method::DELETE, path, Body::empty())).await
    }

    /// As [`TestHost::request`].
    ///
    /// # Panics
    /// When the body of the answer breaks off.
    pub async fn request(&self, request: Request<Body>) -> Answer {
        Answer::read(self.open(request).await).await
    }

    /// As [`TestHost::open`].
    pub async fn open(&self, mut request: Request<Body>) -> Response<ServedBody> {
        request.extensions_mut().insert(self.principal());
        self.host.open(request).await
    }

    /// As [`TestHost::grpc`].
    #[must_use]
    pub fn grpc(&self) -> Channel {
        self.host.grpc().in_the_name_of(self.principal())
    }
}
