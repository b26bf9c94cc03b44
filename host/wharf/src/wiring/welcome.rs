//! What a person who starts a host reads: where it is, and what to try first.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use wharf_host::config::{Config, LogFormat};
use wharf_host::domain::route::{Lane, Policy};
use wharf_host::domain::status::{HostStatus, State};
use wharf_host::grpc::connect::Calls;
use wharf_host::modules::control::RouteRow;
use wharf_host::security::Principal;
use wharf_host::telemetry::clean;

/// How long the module `identity` may take.
const ASK: Duration = Duration::from_secs(5);
/// Most first requests that are shown.
const TRIES: usize = 3;
/// Most gRPC services that are named.
const SERVICES: usize = 3;

/// What there is to say.
pub(super) struct Welcome<'a> {
    pub(super) config: &'a Config,
    /// `http://127.0.0.1:8080`
    pub(super) public: String,
    pub(super) management: Option<SocketAddr>,
    pub(super) admin: &'a Path,
    pub(super) status: HostStatus,
    pub(super) routes: Vec<RouteRow>,
    /// Link with which somebody becomes administrator, as long as there is none. A secret: it is printed and nothing else.
    pub(super) invitation: Option<String>,
}

impl Welcome<'_> {
    /// Prints it for a person: on a terminal or in development, never between lines of JSON.
    pub(super) fn show(&self) {
        let somebody_reads = self.config.is_dev() || std::io::stdout().is_terminal();
        if somebody_reads && self.config.log.format == LogFormat::Text {
            let program = std::env::args().next().unwrap_or_else(|| "wharf".to_owned());
            // A reader that has gone away is no failure.
            drop(write!(std::io::stdout(), "\n{}\n", self.text(&program)));
        }
    }

    fn text(&self, program: &str) -> String {
        let (running, failing): (Vec<_>, Vec<_>) = self.status.modules.iter().partition(|module| module.state == State::Running);
        let (core, serving): (Vec<_>, Vec<_>) = running.into_iter().partition(|module| self.is_core(&module.id));
        let ids: Vec<&str> = serving.iter().map(|module| module.id.as_str()).collect();
        let mut text = match ids.as_slice() {
            [] => format!("Wharf runs on {} and serves no module yet\n\n", self.public),
            [one] => format!("Wharf serves the module {one} on {}\n\n", self.public),
            ids => format!("Wharf serves {} modules on {}: {}\n\n", ids.len(), self.public, ids.join(", ")),
        };
        for (n, url) in self.tries().enumerate() {
            line(&mut text, if n == 0 { "try" } else { "" }, &format!("curl {url}"));
        }
        let services: Vec<&str> = serving
            .iter()
            .flat_map(|module| module.grpc_services.iter().map(String::as_str))
            .collect();
        if let Some(first) = services.first() {
            let (shown, rest) = services.split_at(services.len().min(SERVICES));
            let more = if rest.is_empty() {
                String::new()
            } else {
                format!(" and {} more", rest.len())
            };
            let what = format!("{}{more}, on the same port; unary methods as JSON too:", shown.join(", "));
            line(&mut text, "gRPC", &what);
            line(&mut text, "", &format!("POST {}/{first}/METHOD", self.public));
        }
        if !core.is_empty() {
            let ids: Vec<&str> = core.iter().map(|module| module.id.as_str()).collect();
            line(
                &mut text,
                "core",
                &format!("{}: accounts, logins, roles, the record", ids.join(", ")),
            );
        }
        line(
            &mut text,
            "look",
            &format!("{program} modules list, {program} routes, {program} --help"),
        );
        if let Some(invitation) = &self.invitation {
            line(&mut text, "become", &format!("administrator within 15 minutes: {invitation}"));
        }
        let docs = match (self.config.http.docs, self.management) {
            (true, _) => Some(format!("{}/docs, {}/openapi.json", self.public, self.public)),
            (false, Some(management)) => Some(format!("http://{management}/docs, http://{management}/openapi.json")),
            (false, None) => None,
        };
        if let Some(docs) = docs {
            line(&mut text, "docs", &docs);
        }
        line(&mut text, "admin", &self.admin.display().to_string());
        if let Some(management) = self.management {
            line(&mut text, "metrics", &format!("http://{management}/metrics, /readyz?verbose"));
        }
        if self.config.plugins.watch {
            let folder = self.config.plugins_dir();
            line(
                &mut text,
                "plugins",
                &format!("{} is watched: a library put there is loaded", folder.display()),
            );
        }
        for module in failing.iter().filter(|module| module.state == State::Failed) {
            line(
                &mut text,
                "failed",
                &match module.why_failed() {
                    Some(why) => format!("{}: {why}", module.id),
                    None => format!("{}: {program} modules show {} says why", module.id, module.id),
                },
            );
        }
        let guarded = self.routes.iter().filter(|row| row.policy != Policy::Public).count();
        if guarded > 0 {
            let total = self.routes.len();
            let has_auth = self.routes.iter().any(|row| row.module == "auth");
            let without = if has_auth {
                ""
            } else {
                " and answer 401: module auth does not run"
            };
            line(
                &mut text,
                "note",
                &format!("{guarded} of {total} routes need a signed-in caller{without}"),
            );
        }
        text
    }

    /// Whether a module is one of those that come with the host.
    fn is_core(&self, id: &str) -> bool {
        self.config.security.core_modules.iter().any(|core| core == id)
    }

    /// Requests that will be answered, one public GET of each module: a list of things that can be read one by one, else one with a
    /// parameter, else the first.
    fn tries(&self) -> impl Iterator<Item = String> {
        let gets = || {
            self.routes.iter().filter(|row| {
                !self.is_core(&row.module)
                    && row.lane == Lane::Http
                    && row.policy == Policy::Public
                    && matches!(row.method.as_str(), "GET" | "*")
            })
        };
        let mut modules: Vec<&str> = gets().map(|row| row.module.as_str()).collect();
        modules.dedup();
        modules.into_iter().take(TRIES).filter_map(move |id| {
            let own: Vec<&RouteRow> = gets().filter(|row| row.module == id).collect();
            let has_items = |row: &&&RouteRow| {
                own.iter().any(|other| {
                    other
                        .path
                        .strip_prefix(row.path.as_str())
                        .is_some_and(|rest| rest.starts_with("/{"))
                })
            };
            let with_parameter = |row: &&&RouteRow| row.path.contains('{');
            let chosen = own
                .iter()
                .find(has_items)
                .or_else(|| own.iter().find(with_parameter))
                .or(own.first())?;
            Some(format!("{}{}", self.public, filled(&chosen.path)))
        })
    }
}

/// Asks the module `identity` for a link with which somebody becomes administrator, unless somebody did already. Without that
/// module there is none.
pub(super) async fn invitation(calls: &Calls) -> Option<String> {
    let ask = async |method: &str| {
        let path = format!("/wharf.identity.v1.Bootstrap/{method}");
        let answer = calls.json(Principal::host(), &path, b"{}", ASK).await.ok()?;
        serde_json::from_slice::<serde_json::Value>(&answer).ok()
    };
    let state = ask("GetState").await?;
    let has_administrator = state.get("hasAdministrator").and_then(serde_json::Value::as_bool);
    if has_administrator == Some(true) {
        return None;
    }
    let invited = ask("InviteAdministrator").await?;
    invited.get("url")?.as_str().map(str::to_owned)
}

fn line(text: &mut String, name: &str, what: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "  {name:<9} {}", clean(what));
}

/// `/hello/{name}` becomes `/hello/world`.
fn filled(template: &str) -> String {
    let segments = template
        .split('/')
        .map(|segment| if segment.starts_with('{') { "world" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn row(lane: Lane, module: &str, method: &str, path: &str, policy: Policy) -> RouteRow {
        RouteRow {
            module: module.to_owned(),
            lane,
            method: method.to_owned(),
            path: path.to_owned(),
            policy,
            hidden: false,
        }
    }

    #[test]
    fn only_requests_that_are_answered_are_suggested() {
        let config = Config::default();
        let welcome = Welcome {
            config: &config,
            public: "http://127.0.0.1:8080".to_owned(),
            management: None,
            admin: Path::new(".wharf/admin/wharf.sock"),
            status: HostStatus {
                node: String::new(),
                pid: 1,
                version: String::new(),
                abi: String::new(),
                started: jiff::Timestamp::UNIX_EPOCH,
                ready: true,
                generations_loaded: 0,
                thread_keys_left: 0,
                private_bytes: 0,
                modules: Vec::new(),
            },
            invitation: Some("http://127.0.0.1:8080/identity/invitations/x".to_owned()),
            routes: vec![
                row(Lane::Http, "blog", "GET", "/blog/drafts/{id}", Policy::Authenticated),
                row(Lane::Http, "blog", "GET", "/blog/images/{key}", Policy::Public),
                row(Lane::Http, "blog", "GET", "/blog/posts", Policy::Public),
                row(Lane::Http, "blog", "GET", "/blog/posts/{slug}", Policy::Public),
                row(Lane::Http, "shop", "POST", "/shop/{id}", Policy::Public),
                row(Lane::Grpc, "shop", "POST", "/shop.v1.Shop/Buy", Policy::Public),
            ],
        };
        let text = welcome.text("target/debug/wharf");
        let tries: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_once("curl "))
            .map(|(_, url)| url)
            .collect();
        assert_eq!(tries, ["http://127.0.0.1:8080/blog/posts"], "{text}");
        assert!(text.contains("  look      target/debug/wharf modules list, "), "{text}");
        assert!(text.contains("1 of 6 routes need a signed-in caller"), "{text}");
        assert!(text.contains("become    administrator"), "{text}");
        assert!(!text.contains("watched"), "{text}");
    }
}
