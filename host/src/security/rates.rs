//! How often callers may call: classes, and what clients are told of them.

use std::collections::{HashMap, HashSet};
use std::fmt::{self, Write as _};
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::principal::Principal;
use crate::ports::rate::{MemoryRates, Quota, RateBucket, RateError, RateStore, Taking, Verdict};

/// `RateLimit` of draft-ietf-httpapi-ratelimit-headers.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// `RateLimit-Policy` of the same.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// Counts every request, before anything else is looked at.
const ADDRESS: &str = "address";
/// Calls of nobody in particular.
const ANONYMOUS: &str = "anonymous";
/// Calls of known callers on routes without a class of their own.
const DEFAULT: &str = "default";

/// One class as the configuration says it.
#[derive(Clone, Copy, Debug)]
pub struct ClassSettings {
    /// None: no limit.
    pub quota: Option<Quota>,
    /// Whether calls pass while nobody can count.
    pub passes_uncounted: bool,
}

/// All classes.
pub struct RateLimits {
    classes: HashMap<String, Option<Arc<Class>>>,
    is_exempt: Box<dyn Fn(IpAddr) -> bool + Send + Sync>,
    /// Classes that routes name and nobody has configured, each told once.
    missing: Mutex<HashSet<String>>,
}

/// One class that limits.
pub(crate) struct Class {
    name: String,
    passes_uncounted: bool,
    bucket: Arc<dyn RateBucket>,
    policy: HeaderValue,
}

/// What becomes of a call.
pub(crate) enum Counted {
    /// Nobody counts it.
    Free,
    /// It is within its quota.
    Within(RateFields),
    /// It is not.
    Over(RateFields),
    /// Nobody can count, and the class is closed then.
    Uncounted,
}

/// What the client is told.
#[derive(Clone)]
pub(crate) struct RateFields {
    class: Arc<Class>,
    verdict: Verdict,
}

/// The way a call is counted, when that has to be waited for.
pub(crate) enum Counting {
    Now(Counted),
    Later(Arc<Class>, Taking),
}

impl RateLimits {
    /// Classes that count in `store`; `address` counts here, so that a flood costs no round trip.
    pub fn new(
        classes: impl IntoIterator<Item = (String, ClassSettings)>,
        store: &dyn RateStore,
        is_exempt: impl Fn(IpAddr) -> bool + Send + Sync + 'static,
    ) -> Self {
        let here = MemoryRates::new();
        let class = |(name, settings): (String, ClassSettings)| {
            let store: &dyn RateStore = if name == ADDRESS { &here } else { store };
            let class = settings.quota.map(|quota| Arc::new(Class::new(&name, quota, settings, store)));
            (name, class)
        };
        Self {
            classes: classes.into_iter().map(class).collect(),
            is_exempt: Box::new(is_exempt),
            missing: Mutex::default(),
        }
    }

    /// Limits nobody.
    #[must_use]
    pub fn none() -> Self {
        Self::new([], &MemoryRates::new(), |_| true)
    }

    /// Counts a request by its address alone.
    pub(crate) fn address(&self, address: Option<IpAddr>) -> Counted {
        match self.by_address(ADDRESS, address) {
            Counting::Now(counted) => counted,
            // It counts in this process.
            Counting::Later(..) => Counted::Free,
        }
    }

    /// Counts a call by its caller, in the class of its route or that of the caller.
    pub(crate) fn caller(&self, who: &Principal, address: Option<IpAddr>, class: Option<&str>) -> Counting {
        let named = class.filter(|class| self.is_known(class));
        match who.identity() {
            None => self.by_address(named.unwrap_or(ANONYMOUS), address),
            Some(identity) => self.count(named.unwrap_or(DEFAULT), identity.subject()),
        }
    }

    fn by_address(&self, class: &str, address: Option<IpAddr>) -> Counting {
        let Some(address) = address.map(|address| address.to_canonical()) else {
            return Counting::Now(Counted::Free);
        };
        // Exempt is who comes without a class of the route's own: those limits hold for everybody.
        if matches!(class, ADDRESS | ANONYMOUS) && (self.is_exempt)(address) {
            return Counting::Now(Counted::Free);
        }
        let mut key = Key::default();
        // A key is long enough for any address.
        let _ = match address {
            IpAddr::V4(v4) => write!(key, "{v4}"),
            IpAddr::V6(v6) => write!(key, "{}", Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        };
        self.count(class, key.as_str())
    }

    fn count(&self, class: &str, key: &str) -> Counting {
        let Some(class) = self.classes.get(class).and_then(Option::as_ref) else {
            return Counting::Now(Counted::Free);
        };
        match class.bucket.take(key, NonZeroU32::MIN) {
            Taking::Now(answer) => Counting::Now(counted(class, answer)),
            later @ Taking::Later(_) => Counting::Later(Arc::clone(class), later),
        }
    }

    fn is_known(&self, class: &str) -> bool {
        if self.classes.contains_key(class) {
            return true;
        }
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if missing.len() < 256 && missing.insert(class.to_owned()) {
            tracing::warn!(
                class,
                "a route names a rate class that is not configured; the default is used: add [rate_limits.classes.{class}]"
            );
        }
        false
    }
}

impl Counting {
    pub(crate) async fn wait(self) -> Counted {
        match self {
            Self::Now(counted) => counted,
            Self::Later(class, taking) => {
                let answer = taking.wait().await;
                counted(&class, answer)
            }
        }
    }
}

impl Class {
    fn new(name: &str, quota: Quota, settings: ClassSettings, store: &dyn RateStore) -> Self {
        let window = quota.period.as_secs_f64().ceil();
        // Names are checked by the configuration: they need no quoting.
        let policy = format!("\"{name}\";q={};w={window}", quota.requests);
        Self {
            name: name.to_owned(),
            passes_uncounted: settings.passes_uncounted,
            bucket: store.bucket(name, quota),
            policy: HeaderValue::from_str(&policy).unwrap_or_else(|_| HeaderValue::from_static("\"-\"")),
        }
    }
}

impl RateFields {
    /// Says how it stands, unless the module has said something itself.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        if headers.contains_key(&RATE_LIMIT) {
            return;
        }
        let Verdict { remaining, reset, .. } = self.verdict;
        let text = format!("\"{}\";r={remaining};t={}", self.class.name, whole_seconds(reset));
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(RATE_LIMIT, value);
            headers.insert(RATE_LIMIT_POLICY, self.class.policy.clone());
        }
    }

    pub(crate) fn class(&self) -> &str {
        &self.class.name
    }

    /// For `Retry-After`: at least a second.
    pub(crate) fn retry_after(&self) -> u64 {
        whole_seconds(self.verdict.retry_after).max(1)
    }
}

fn counted(class: &Arc<Class>, answer: Result<Verdict, RateError>) -> Counted {
    match answer {
        Ok(verdict) => {
            let fields = RateFields {
                class: Arc::clone(class),
                verdict,
            };
            if verdict.is_allowed {
                Counted::Within(fields)
            } else {
                Counted::Over(fields)
            }
        }
        Err(_) => {
            metrics::counter!("wharf_rate_uncounted_total").increment(1);
            if class.passes_uncounted {
                Counted::Free
            } else {
                Counted::Uncounted
            }
        }
    }
}

fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Text of an address, on the stack.
struct Key {
    bytes: [u8; 48],
    length: usize,
}

impl Key {
    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl Default for Key {
    fn default() -> Self {
        Self { bytes: [0; 48], length: 0 }
    }
}

impl fmt::Write for Key {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl fmt::Debug for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimits")
            .field("classes", &self.classes.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
    use super::*;
    use crate::security::principal::{About, Kind};

    fn limits() -> RateLimits {
        let once = |requests: u32| ClassSettings {
            quota: Some(Quota {
                requests: NonZeroU32::new(requests).unwrap(),
                period: Duration::from_secs(3600),
                burst: NonZeroU32::new(requests).unwrap(),
            }),
            passes_uncounted: true,
        };
        let classes = [("address", 2), ("anonymous", 1), ("default", 3), ("login", 1)];
        RateLimits::new(
            classes.map(|(name, requests)| (name.to_owned(), once(requests))),
            &MemoryRates::new(),
            |address| address.is_loopback(),
        )
    }

    fn allowed(counted: &Counted) -> bool {
        matches!(counted, Counted::Free | Counted::Within(_))
    }

    #[tokio::test]
    async fn callers_are_counted_by_subject_or_address_and_class() {
        let limits = limits();
        let user = |id: &str| Principal::known(Kind::User, id, About::default());
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let table: &[(Principal, Option<IpAddr>, Option<&str>, bool)] = &[
            (user("1"), ip("9.9.9.9"), None, true),
            (user("1"), ip("9.9.9.8"), Some("unknown"), true),
            (user("1"), ip("127.0.0.1"), None, true),
            (user("1"), ip("9.9.9.9"), None, false),
            (user("2"), ip("9.9.9.9"), None, true),
            (user("1"), None, Some("login"), true),
            (user("1"), None, Some("login"), false),
            (Principal::Anonymous, ip("9.9.9.9"), None, true),
            (Principal::Anonymous, ip("::ffff:9.9.9.9"), None, false),
            (Principal::Anonymous, ip("127.0.0.1"), None, true),
            (Principal::Anonymous, ip("127.0.0.1"), None, true),
            (Principal::Anonymous, ip("127.0.0.1"), Some("login"), true),
            (Principal::Anonymous, ip("127.0.0.1"), Some("login"), false),
            (Principal::Anonymous, ip("2001:db8::1"), None, true),
            (Principal::Anonymous, ip("2001:db8::2"), None, false),
            (Principal::Anonymous, ip("2001:db8:0:1::2"), None, true),
            (Principal::Anonymous, None, None, true),
        ];
        for (row, (who, address, class, expected)) in table.iter().enumerate() {
            let counted = limits.caller(who, *address, *class).wait().await;
            assert_eq!(allowed(&counted), *expected, "row {row}: {who:?} {address:?} {class:?}");
        }
    }

    #[test]
    fn clients_are_told_how_it_stands() {
        let limits = limits();
        let address = Some("9.9.9.9".parse().unwrap());
        let Counted::Within(fields) = limits.address(address) else {
            panic!()
        };
        let mut headers = HeaderMap::new();
        fields.write(&mut headers);
        assert_eq!(headers["ratelimit"], "\"address\";r=1;t=1800");
        assert_eq!(headers["ratelimit-policy"], "\"address\";q=2;w=3600");
        assert!(allowed(&limits.address(address)));
        let Counted::Over(fields) = limits.address(address) else { panic!() };
        assert!((1790..=1800).contains(&fields.retry_after()), "{}", fields.retry_after());
    }
}
