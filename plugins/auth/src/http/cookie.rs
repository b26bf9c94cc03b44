//! Cookies that bind one login to one browser. They are no session: they hold a random number, for some minutes.

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

use crate::config::Config;

/// Of a request at the authorization endpoint.
pub(super) const AUTHORIZE: &str = "wharf-authorize";
/// Of a login at another provider.
pub(super) const LOGIN: &str = "wharf-login";

/// Over TLS with the prefix that keeps other hosts of the domain from setting it (RFC 6265bis, 4.1.3).
fn name(config: &Config, name: &str) -> String {
    match config.is_secure() {
        true => format!("__Host-{name}"),
        false => name.to_owned(),
    }
}

/// `Lax`, since the other provider sends the browser back from its own site.
pub(super) fn set(config: &Config, which: &str, value: &str, response: &mut Response) {
    let secure = if config.is_secure() { "; Secure" } else { "" };
    let text = format!(
        "{}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
        name(config, which),
        config.login_seconds
    );
    append(&text, response);
}

pub(super) fn clear(config: &Config, which: &str, response: &mut Response) {
    let secure = if config.is_secure() { "; Secure" } else { "" };
    append(
        &format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax{secure}", name(config, which)),
        response,
    );
}

/// Its value; none when it is missing, or there twice.
pub(super) fn get<'h>(config: &Config, which: &str, headers: &'h HeaderMap) -> Option<&'h str> {
    let name = name(config, which);
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found = all.flat_map(|text| text.split(';')).filter_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    });
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

fn append(text: &str, response: &mut Response) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_cookie_comes_back_unless_there_are_two() {
        let config = Config {
            public_url: "https://wharf.example.org".to_owned(),
            ..Config::default()
        };
        let mut response = Response::default();
        set(&config, LOGIN, "1", &mut response);
        let text = response.headers().get(header::SET_COOKIE).unwrap().to_str().unwrap();
        assert_eq!(text, "__Host-wharf-login=1; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure");
        let with = |cookie: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, cookie.parse().unwrap());
            get(&config, LOGIN, &headers).map(str::to_owned)
        };
        assert_eq!(with("a=b; __Host-wharf-login=1").as_deref(), Some("1"));
        assert_eq!(with("__Host-wharf-login=1; __Host-wharf-login=2"), None);
        assert_eq!(with("wharf-login=1"), None);
    }
}
