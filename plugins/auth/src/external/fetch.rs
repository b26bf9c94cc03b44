//! How other providers are asked: over HTTPS, without following redirects, and not within the own network unless the operator
//! says so.

use std::future::Future;
use std::net::{IpAddr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url};

use crate::failure::Failure;

const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer that is read.
const LONGEST: usize = 1 << 20;

/// A client of one provider.
#[derive(Clone)]
pub(super) struct Fetch {
    client: Client,
    allow_private: bool,
}

/// Why there is no answer. Without addresses with queries in them: these may hold codes.
#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("found an address with scheme {0:?}, expected https")]
    Scheme(String),
    #[error("{0} is a private address; `allow_private = true` of the provider allows it")]
    Private(String),
    #[error("no answer: {0}")]
    Transport(String),
    #[error("the answer has more than {LONGEST} bytes")]
    TooLong,
}

/// Gives addresses of the public network only.
struct PublicOnly;

impl Fetch {
    pub(super) fn new(allow_private: bool) -> Result<Self, Failure> {
        // A proxy would look names up itself.
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .no_proxy();
        let client = match allow_private {
            true => client,
            false => client.https_only(true).dns_resolver(Arc::new(PublicOnly)),
        };
        Ok(Self {
            client: client.build().map_err(Failure::internal)?,
            allow_private,
        })
    }

    fn check(&self, url: &Url) -> Result<(), FetchError> {
        match url.scheme() {
            "https" => {}
            "http" if self.allow_private => {}
            other => return Err(FetchError::Scheme(other.to_owned())),
        }
        // An address in the URL is not looked up.
        let host = url.host_str().unwrap_or_default();
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) if !self.allow_private && !is_public(address) => Err(FetchError::Private(address.to_string())),
            _ => Ok(()),
        }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, FetchError> {
        let transport = |error: reqwest::Error| FetchError::Transport(cause(&error.without_url()));
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string()).map_err(|_| FetchError::Transport("the address is none".to_owned()))?;
        self.check(&url)?;
        let sent = self.client.request(head.method, url).headers(head.headers).body(body).send().await;
        let mut response = sent.map_err(transport)?;
        let mut answer = http::Response::new(Vec::new());
        *answer.status_mut() = response.status();
        *answer.headers_mut() = response.headers().clone();
        while let Some(part) = response.chunk().await.map_err(transport)? {
            if answer.body().len() + part.len() > LONGEST {
                return Err(FetchError::TooLong);
            }
            answer.body_mut().extend_from_slice(&part);
        }
        Ok(answer)
    }
}

impl<'c> AsyncHttpClient<'c> for Fetch {
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let looked_up = tokio::task::spawn_blocking(move || (host.as_str(), 0).to_socket_addrs().map(Vec::from_iter)).await;
            let all: Vec<SocketAddr> = looked_up??;
            // One that is private among public ones is a trap, not a spare.
            if let Some(private) = all.iter().find(|address| !is_public(address.ip())) {
                return Err(FetchError::Private(format!("{} ({})", name.as_str(), private.ip())).into());
            }
            Ok(Box::new(all.into_iter()) as Addrs)
        })
    }
}

/// Whether an address is one of the public network.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let special = v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19));
            !special
        }
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_public(v4),
            // Global unicast, without what is set aside for documentation.
            None => matches!(v6.segments(), [0x2000..=0x3fff, ..]) && !matches!(v6.segments(), [0x2001, 0xdb8, ..]),
        },
    }
}

/// The IPv4 address in one of IPv6: mapped, compatible, NAT64, 6to4.
fn embedded(address: Ipv6Addr) -> Option<IpAddr> {
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::from([a, b, c, d])
    };
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

fn cause(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text = format!("{text}: {source}");
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn addresses_of_the_own_network_are_told_in_every_form() {
        for (address, expected) in [
            ("93.184.216.34", true),
            ("2606:2800:220:1:248:1893:25c8:1946", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:93.184.216.34", true),
            ("64:ff9b::7f00:1", false),
            ("2002:7f00:1::", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[tokio::test]
    async fn private_addresses_and_plain_http_are_refused_before_anything_is_sent() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let fetch = Fetch::new(false).unwrap();
        let get = async |uri: &str| {
            fetch
                .send(http::Request::get(uri).body(Vec::new()).unwrap())
                .await
                .unwrap_err()
                .to_string()
        };
        assert!(get("http://example.org/").await.contains("https"));
        for uri in [
            "https://127.0.0.1:1/",
            "https://[::1]:1/",
            "https://169.254.169.254/",
            "https://localhost:1/",
        ] {
            let refused = get(uri).await;
            assert!(refused.contains("private address"), "{uri}: {refused}");
        }
    }
}
