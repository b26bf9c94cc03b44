//! A host somewhere else: reached over HTTPS, with a token or an API key, under the permissions of whoever that is.

mod callback;
mod store;

use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Client, Method, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::exit::{Exit, Failure, told};

pub(crate) use callback::Callback;
pub(crate) use store::{Login, Logins};

/// The public client that comes with every host.
pub(crate) const CLIENT: &str = "wharf-cli";
/// The variable that stands for an API key, so that scripts need no login.
pub(crate) const API_KEY: &str = "WHARF_API_KEY";
/// Longest answer that is read.
const LONGEST: usize = 64 << 20;
/// A token is renewed when it has less than this left.
const EARLY: i64 = 30;

/// A host somewhere else.
#[derive(Clone)]
pub(crate) struct Remote {
    server: Url,
    http: Client,
}

/// What the token endpoint answers (RFC 6749, 5.1).
#[derive(Deserialize)]
pub(crate) struct Granted {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: i64,
}

/// A failure of the token endpoint (RFC 6749, 5.2).
#[derive(Deserialize)]
struct Refused {
    error: String,
    #[serde(default)]
    error_description: String,
}

impl Remote {
    /// A host by its address. Plain HTTP goes to this machine only: a token would be readable on the way.
    pub(crate) fn new(server: &str) -> Result<Self, Failure> {
        let hint = "such as --server https://wharf.example.org, or WHARF_SERVER in the environment";
        let parsed = Url::parse(server)
            .ok()
            .filter(|url| url.has_host() && url.query().is_none() && url.fragment().is_none());
        let Some(server) = parsed.filter(|url| url.username().is_empty() && url.password().is_none()) else {
            return Err(Failure::usage(format!("found server {server:?}, expected a URL of https"), hint));
        };
        match server.scheme() {
            "https" => {}
            "http" if is_loopback(&server) => {}
            other => {
                let message = format!("found server {server} with scheme {other}, expected https: a token must not be readable on its way");
                return Err(Failure::usage(message, "http is for 127.0.0.1, [::1] and localhost only"));
            }
        }
        // The one provider of this program; it may be installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A redirect would carry the token somewhere else.
        let http = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .user_agent(concat!("wharf/", env!("CARGO_PKG_VERSION")))
            .build();
        let http = http.map_err(|error| Failure::failed("cannot make a client for HTTPS", &told(&error), ""))?;
        Ok(Self { server, http })
    }

    /// Its address, without a slash at its end: what logins are kept under.
    pub(crate) fn name(&self) -> String {
        self.server.as_str().trim_end_matches('/').to_owned()
    }

    /// An address below it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.name())
    }

    /// What it says of its issuer (RFC 8414).
    pub(crate) async fn issuer(&self) -> Result<String, Failure> {
        let path = "/auth/.well-known/oauth-authorization-server";
        let (status, body) = self.send(Method::GET, path, None, None, Duration::from_secs(30)).await?;
        let metadata: Value = serde_json::from_slice(&body).unwrap_or_default();
        match metadata.get("issuer").and_then(Value::as_str) {
            Some(issuer) if status == 200 => Ok(issuer.to_owned()),
            _ => {
                let message = format!("{} does not say who issues its tokens: status {status} for {path}", self.name());
                Err(Failure::new(
                    Exit::Failed,
                    "host.protocol",
                    message,
                    "is it a Wharf host with the module auth?",
                ))
            }
        }
    }

    /// Asks the token endpoint.
    pub(crate) async fn token(&self, fields: &[(&str, &str)]) -> Result<Login, Failure> {
        let (status, body) = self.form("/auth/v1/token", fields).await?;
        if status == 200 {
            let granted: Granted = serde_json::from_slice(&body).map_err(|_| self.broken("an answer with tokens that cannot be read"))?;
            return Ok(Login::Tokens {
                access_token: granted.access_token,
                refresh_token: granted.refresh_token,
                expires: Timestamp::now().as_second() + granted.expires_in,
            });
        }
        let refused: Refused =
            serde_json::from_slice(&body).map_err(|_| self.broken(&format!("status {status} from the token endpoint")))?;
        let message = format!("{} refused: {} ({})", self.name(), refused.error_description, refused.error);
        Err(Failure::new(
            Exit::Refused,
            "login.refused",
            message,
            "log in again with `wharf login`",
        ))
    }

    /// Sends a form; status and body.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Result<(u16, Vec<u8>), Failure> {
        let body = ("application/x-www-form-urlencoded", form(fields).into_bytes());
        self.send(Method::POST, path, None, Some(body), Duration::from_secs(60)).await
    }

    /// Calls a unary gRPC method as JSON, in the name of whoever is logged in.
    pub(crate) async fn call<T: DeserializeOwned>(&self, method: &str, request: Vec<u8>) -> Result<T, Failure> {
        let body = ("application/json", request);
        let bearer = self.bearer().await?;
        let (status, body) = self
            .send(
                Method::POST,
                &format!("/{method}"),
                Some(&bearer),
                Some(body),
                Duration::from_secs(60),
            )
            .await?;
        if status == 200 {
            return serde_json::from_slice(&body).map_err(|error| self.broken(&format!("an answer this build cannot read: {error}")));
        }
        Err(self.refused(status, &body))
    }

    /// A bearer that counts for some time yet: the API key of the environment, or what is kept of a login, renewed when it is time.
    pub(crate) async fn bearer(&self) -> Result<String, Failure> {
        if let Some(key) = std::env::var(API_KEY).ok().filter(|key| !key.is_empty()) {
            return Ok(key);
        }
        // Whoever renews holds the lock: a refresh token that is used twice ends the session.
        let mut logins = Logins::open()?;
        let nobody = || {
            let message = format!("nobody is logged in at {}", self.name());
            Failure::new(Exit::Refused, "login.none", message, "`wharf login --server URL` logs in")
        };
        match logins.get(&self.name()).ok_or_else(nobody)? {
            Login::ApiKey { key } => Ok(key.clone()),
            Login::Tokens { access_token, expires, .. } if *expires - EARLY > Timestamp::now().as_second() => Ok(access_token.clone()),
            Login::Tokens { refresh_token, .. } => {
                let refresh = refresh_token.clone().ok_or_else(nobody)?;
                let fields = [("grant_type", "refresh_token"), ("refresh_token", &refresh), ("client_id", CLIENT)];
                let login = self.token(&fields).await?;
                let bearer = login.bearer().to_owned();
                logins.put(&self.name(), login)?;
                Ok(bearer)
            }
        }
    }

    /// One request; status and body.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        bearer: Option<&str>,
        body: Option<(&str, Vec<u8>)>,
        limit: Duration,
    ) -> Result<(u16, Vec<u8>), Failure> {
        self.send_with(method, path, bearer, body, &[], limit).await
    }

    /// The same, with further header fields.
    pub(crate) async fn send_with(
        &self,
        method: Method,
        path: &str,
        bearer: Option<&str>,
        body: Option<(&str, Vec<u8>)>,
        fields: &[(&str, &str)],
        limit: Duration,
    ) -> Result<(u16, Vec<u8>), Failure> {
        let mut request = self
            .http
            .request(method, self.url(path))
            .header("accept", "application/json")
            .timeout(limit);
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body);
        }
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let status = response.status().as_u16();
        let mut answer = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.unreachable(&error))? {
            if answer.len() + part.len() > LONGEST {
                return Err(self.broken("an answer that is too long"));
            }
            answer.extend_from_slice(&part);
        }
        Ok((status, answer))
    }

    /// What a host said that did not do what it was asked.
    pub(crate) fn refused(&self, status: u16, body: &[u8]) -> Failure {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        // Problem details have `detail`, the Connect protocol has `message`.
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let sentence = [text("detail"), text("message")]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_else(|| format!("status {status}"));
        let hint = match status {
            401 => "log in again with `wharf login --server URL`",
            403 => "ask an administrator for the permission; `wharf authz why` says what is missing",
            _ => "",
        };
        let code = Some(text("code"))
            .filter(|code| !code.is_empty())
            .unwrap_or_else(|| "refused".to_owned());
        Failure::new(Exit::Refused, &code, format!("{} refused: {sentence}", self.name()), hint)
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failure {
        let message = format!("no host answers at {}: {}", self.name(), told(error));
        Failure::new(Exit::NoHost, "host.unreachable", message, "check the address and the network")
    }

    pub(crate) fn broken(&self, what: &str) -> Failure {
        let message = format!("the host at {}: {what}", self.name());
        let hint = "see the host's log, and whether host and command line are of one version";
        Failure::new(Exit::Failed, "host.protocol", message, hint)
    }
}

impl std::fmt::Debug for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Remote({})", self.name())
    }
}

/// Fields as a form, or as a query.
pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    // A URL is what encodes them; its other parts are not used.
    let encoded = Url::parse_with_params("http://x", fields);
    encoded.ok().and_then(|url| url.query().map(str::to_owned)).unwrap_or_default()
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_sent_over_https_or_within_this_machine() {
        for (server, is_fine) in [
            ("https://wharf.example.org", true),
            ("https://wharf.example.org/", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080", true),
            ("http://localhost:8080", true),
            ("http://wharf.example.org", false),
            ("http://127.0.0.1.evil.example", false),
            ("https://me:secret@wharf.example.org", false),
            ("ftp://wharf.example.org", false),
            ("wharf.example.org", false),
        ] {
            assert_eq!(Remote::new(server).is_ok(), is_fine, "{server}");
        }
    }

    #[test]
    fn fields_are_encoded() {
        assert_eq!(form(&[("a", "b c&d"), ("e", "f=")]), "a=b+c%26d&e=f%3D");
    }
}
