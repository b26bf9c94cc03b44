//! The pipeline of every request: what each step costs, and a guarded route of a module beside a bare one in the program.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderValue, Request};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use wharf_host::domain::route::Policy;
use wharf_host::http::body::Body;
use wharf_host::http::gateway::Gateway;
use wharf_host::http::shield::Shield;
use wharf_host::ports::clock::SystemClock;
use wharf_host::ports::rate::{MemoryRates, Quota, RateBucket, RateStore};
use wharf_host::security::authenticate::{KeyRing, PublishedKey};
use wharf_host::security::rates::ClassSettings;
use wharf_host::security::{Admission, Principal, RateLimits, Security, SecuritySettings, Source};
use wharf_proto::authz::v1::{Binding, PolicyUpdate, Rule};

use crate::callgrind;
use crate::case::Case;
use crate::network::{self, Remote};
use crate::report::{Report, Spread};
use crate::side::ready;

const ROUNDS: usize = 41;
const CALLS: u32 = 20_000;
/// Network rounds of one second each, both sides.
const PAIRS: usize = 15;
/// What the guarded route needs.
const PERMISSION: &str = "bench.route.read";
/// The private key of these measurements: PKCS#8 of 32 bytes that are no secret.
const KEY: &str = "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
const STEPS: [&str; 5] = ["token", "permission", "address", "caller", "admit"];

/// A host's security with a key, a thousand rules and limits that nobody reaches.
struct Guard {
    security: Security,
    rates: Arc<RateLimits>,
    bucket: Arc<dyn RateBucket>,
    token: String,
    who: Principal,
    head: http::request::Parts,
}

/// Prints the steps and the whole.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.section(
        "pipeline: steps of a request, ns (10th, 50th, 90th percentile of rounds)",
        "wharf-bench pipeline",
    );
    let guard = Guard::new()?;
    for step in STEPS {
        let bar = matches!(step, "token" | "permission").then_some(1_000.0);
        let spread = Spread::of((0..ROUNDS).map(|_| time(|| guard.step(step))).skip(4).collect());
        let note = format!("[{:.0} .. {:.0}]", spread.least, spread.most);
        report.figure(name(step), spread.middle, "ns", bar, &note);
    }
    let fresh = guard.fresh_tokens(200)?;
    let started = Instant::now();
    for token in &fresh {
        guard.verify(token)?;
    }
    let each = started.elapsed().as_nanos() as f64 / fresh.len() as f64;
    report.figure("token seen for the first time (EdDSA)", each, "ns", None, "");
    instructions(report)?;
    whole(report)
}

/// What runs under valgrind.
pub(crate) fn count(step: &str, calls: &str) -> Result<()> {
    let guard = Guard::new()?;
    for _ in 0..200 {
        guard.step(step);
    }
    measured_requests_of_step(&guard, step, calls.parse()?);
    Ok(())
}

/// Gives a gateway the whole pipeline; the routes need [`PERMISSION`]. Returns a token that holds it.
pub(crate) fn guard(gateway: Gateway) -> Result<(Gateway, Policy, String)> {
    let guard = Guard::new()?;
    let gateway = gateway
        .with_gatekeeper(guard.security.gatekeeper.clone())
        .with_rate_limits(guard.rates.clone())
        .with_shield(Shield::new());
    Ok((gateway, Policy::Require(PERMISSION.to_owned()), guard.token.clone()))
}

fn instructions(report: &mut Report) -> Result<()> {
    report.section(
        "pipeline: instructions of each step",
        "wharf-bench count-step STEP N, under valgrind",
    );
    if !callgrind::is_there() {
        report.hole("valgrind is not installed; install it (`apt-get install valgrind`) and run this again");
        return Ok(());
    }
    for step in STEPS {
        let figure = callgrind::counted_step(step)?;
        report.figure(name(step), figure, "instructions", None, "");
    }
    Ok(())
}

/// Over a socket, as `wharf-bench network` does it: CPU of the guarded route of a module beside the bare route in the program.
fn whole(report: &mut Report) -> Result<()> {
    report.section(
        "pipeline: whole request over a socket, one worker on core 0, 32 connections from core 1",
        "wharf-bench server guarded, wharf-bench server linked",
    );
    if !std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        report.hole("this machine has one core, and the load generator would share it with the server");
        return Ok(());
    }
    let (bare, guarded) = (Remote::start("static")?, Remote::start("guarded")?);
    let mut runs: Vec<(f64, f64)> = Vec::new();
    for round in 0..PAIRS {
        let measure = |remote: &Remote| remote.load(&Case::JSON_10).map(|run| run.cpu_us);
        // Who is first changes, so that a machine that slows down harms both.
        runs.push(if round % 2 == 0 {
            let first = measure(&bare)?;
            (first, measure(&guarded)?)
        } else {
            let first = measure(&guarded)?;
            (measure(&bare)?, first)
        });
    }
    let base = Spread::of(runs.iter().map(|(base, _)| *base).collect());
    let ratio = Spread::of(runs.iter().map(|(base, guarded)| guarded / base).collect());
    report.figure("bare static route, CPU a request", base.middle, "us", None, "");
    let note = format!("[{:.3} .. {:.3}]", ratio.least, ratio.most);
    report.figure(
        "token, permission, limits and a module, CPU of it",
        ratio.middle,
        "x",
        Some(1.35),
        &note,
    );
    Ok(())
}

impl Guard {
    fn new() -> Result<Self> {
        let settings = SecuritySettings {
            max_staleness: Duration::from_secs(24 * 3600),
            ..SecuritySettings::default()
        };
        let security = Security::guarded(settings, Arc::new(SystemClock));
        let sources = security.sources.as_ref().context("a guarded host has sources")?;
        sources.authenticator.set_keys(keys()?);
        sources.authenticator.revoke(true, []);
        sources.rules.apply(rules()).map_err(|error| anyhow!("{error}"))?;
        Source::ALL.iter().for_each(|source| sources.freshness.heard(*source));
        let token = sign(0)?;
        let who = sources.authenticator.token(&token).map_err(|why| anyhow!("{why}"))?;
        let request = Request::get(format!("{}/json", network::PREFIX)).header("authorization", format!("Bearer {token}"));
        let (head, ()) = request.body(())?.into_parts();
        let store = MemoryRates::new();
        let classes = ["address", "anonymous", "default"].map(|class| (class.to_owned(), plenty()));
        let rates = Arc::new(RateLimits::new(classes, &store, |_| false));
        let bucket = store.bucket("steps", plenty().quota.context("there is a quota")?);
        Ok(Self {
            security,
            rates,
            bucket,
            token,
            who,
            head,
        })
    }

    #[inline(never)]
    fn step(&self, step: &str) {
        let one = NonZeroU32::MIN;
        let sources = self.security.sources.as_ref();
        match step {
            "token" => drop(std::hint::black_box(
                sources.map(|sources| sources.authenticator.token(&self.token)),
            )),
            "permission" => {
                std::hint::black_box(self.security.authorizer.holds(&self.who, PERMISSION));
            }
            "admit" => match self.security.gatekeeper.admit(&self.head, &Policy::Require(PERMISSION.to_owned())) {
                Admission::Now(answer) => drop(std::hint::black_box(answer)),
                Admission::Later(later) => drop(std::hint::black_box(ready(later))),
            },
            "address" => drop(std::hint::black_box(self.bucket.take("192.0.2.1", one))),
            _ => drop(std::hint::black_box(self.bucket.take(self.who.subject(), one))),
        }
    }

    fn fresh_tokens(&self, count: u32) -> Result<Vec<String>> {
        (1..=count).map(sign).collect()
    }

    fn verify(&self, token: &str) -> Result<()> {
        let sources = self.security.sources.as_ref().context("a guarded host has sources")?;
        match sources.authenticator.token(token) {
            Ok(_) => Ok(()),
            Err(why) => bail!("{why}"),
        }
    }
}

#[inline(never)]
fn measured_requests_of_step(guard: &Guard, step: &str, calls: u32) {
    for _ in 0..calls {
        guard.step(step);
    }
}

fn name(step: &str) -> &'static str {
    match step {
        "token" => "access token that was seen before",
        "permission" => "permission, among 1,000 rules",
        "address" => "limit by address",
        "caller" => "limit by caller",
        _ => "gatekeeper: header, token, permission",
    }
}

fn time(mut call: impl FnMut()) -> f64 {
    let started = Instant::now();
    for _ in 0..CALLS {
        call();
    }
    started.elapsed().as_nanos() as f64 / f64::from(CALLS)
}

fn plenty() -> ClassSettings {
    let many = NonZeroU32::new(1_000_000_000);
    ClassSettings {
        quota: many.map(|many| Quota {
            requests: many,
            period: Duration::from_secs(1),
            burst: many,
        }),
        passes_uncounted: true,
    }
}

fn key() -> Result<EncodingKey> {
    Ok(EncodingKey::from_ed_der(&STANDARD_NO_PAD.decode(KEY)?))
}

fn keys() -> Result<KeyRing> {
    let published = PublishedKey {
        id: "bench".to_owned(),
        algorithm: "EdDSA".to_owned(),
        jwk: serde_json::to_string(&Jwk::from_encoding_key(&key()?, Algorithm::EdDSA)?)?,
    };
    Ok(KeyRing::new("https://bench.test", "wharf", &[published])?)
}

fn sign(number: u32) -> Result<String> {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some("bench".to_owned());
    let now = jiff::Timestamp::now().as_second();
    let claims = json!({
        "iss": "https://bench.test", "aud": "wharf", "sub": "018f2b6e-0000-7000-8000-000000000001", "kind": "user", "tenant": "default",
        "sid": "018f2b6e-0000-7000-8000-000000000002", "client_id": "bench", "jti": format!("018f2b6e-0000-7000-8000-{number:012}"),
        "iat": now, "exp": now + 3600, "name": "Ada Lovelace", "auth_time": now,
    });
    Ok(jsonwebtoken::encode(&header, &claims, &key()?)?)
}

/// The caller is an editor, who is a reader, among a thousand rules of others.
fn rules() -> PolicyUpdate {
    let rule = |subject: String, permission: String| Rule {
        subject,
        tenant: "default".to_owned(),
        permission,
        resource: "*".to_owned(),
        deny: false,
    };
    let binding = |member: &str, role: &str| Binding {
        member: member.to_owned(),
        role: role.to_owned(),
        tenant: "default".to_owned(),
    };
    let others = (0..999).map(|number| rule(format!("role:r{}", number % 50), format!("m{number}.thing.write")));
    PolicyUpdate {
        epoch: 1,
        snapshot: true,
        rules_added: others.chain([rule("role:reader".to_owned(), "bench.*".to_owned())]).collect(),
        bindings_added: vec![
            binding("user:018f2b6e-0000-7000-8000-000000000001", "role:editor"),
            binding("role:editor", "role:reader"),
        ],
        ..PolicyUpdate::default()
    }
}

/// Where a guarded server is, and a token that it takes.
pub(crate) fn address_and_token(line: &str) -> Result<(SocketAddr, Option<String>)> {
    let mut words = line.split_whitespace();
    let address = words.next().context("the server said nothing")?;
    let address = address.parse().map_err(|e| anyhow!("the server said {line:?}: {e}"))?;
    Ok((address, words.next().map(str::to_owned)))
}

/// The header field of a token.
pub(crate) fn field(token: &str) -> Result<HeaderValue> {
    Ok(HeaderValue::from_str(&format!("Bearer {token}"))?)
}

/// Whether the pipeline lets a request through, so that no refusal is measured.
pub(crate) async fn check(gateway: &Arc<Gateway>, token: &str) -> Result<()> {
    let request = Request::get(format!("{}/json", network::PREFIX)).header("authorization", field(token)?);
    let answer = Arc::clone(gateway).handle(request.body(Body::empty())?, None).await;
    if !answer.status().is_success() {
        bail!("the guarded route answered {}", answer.status());
    }
    Ok(())
}
