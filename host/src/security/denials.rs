//! Calls that were refused, counted by caller, route and minute, so that nobody can fill the audit log.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::principal::Principal;

/// Different refusals that are kept until they are written; further ones count as one.
const KEPT: usize = 4096;
/// Seconds that count together.
const MINUTE: i64 = 60;

/// One call that was refused.
#[derive(Clone, Copy, Debug)]
pub struct Denied<'a> {
    /// Who called, as far as is known.
    pub who: &'a Principal,
    /// From where.
    pub address: Option<IpAddr>,
    /// Method and path template; empty when no route was looked up.
    pub method: &'a str,
    /// Path template.
    pub route: &'a str,
    /// 401, 403 or 429.
    pub status: u16,
    /// Of this call, which stands for those like it.
    pub request_id: &'a str,
}

/// Hears of calls that were refused. Called on the way of the request: be quick.
pub trait OnDenied: Send + Sync + 'static {
    /// A call was refused.
    fn denied(&self, denied: &Denied<'_>);
}

/// Calls that were refused, to be written together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denials {
    /// Minute in which they came, in seconds since 1970.
    pub minute: i64,
    /// `user:01J...` or `anonymous`.
    pub subject: String,
    /// Tenant of the caller; may be empty.
    pub tenant: String,
    /// Session of the caller.
    pub session: Option<String>,
    /// Address of the first.
    pub address: Option<IpAddr>,
    /// `GET /blog/posts/{id}`.
    pub route: String,
    /// 401, 403 or 429.
    pub status: u16,
    /// Of the first.
    pub request_id: String,
    /// How many.
    pub count: u32,
}

/// Counts refused calls.
#[derive(Default)]
pub struct DenialLog {
    kept: Mutex<HashMap<Key, Denials>>,
}

#[derive(PartialEq, Eq, Hash)]
struct Key {
    minute: i64,
    /// Subject, or address of whoever is not known.
    who: String,
    route: String,
    status: u16,
}

impl DenialLog {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything from before this minute, or with `all` everything.
    pub fn take(&self, now: Timestamp, all: bool) -> Vec<Denials> {
        let minute = now.as_second() - now.as_second().rem_euclid(MINUTE);
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let taken: Vec<_> = kept
            .extract_if(|key, _| all || key.minute < minute)
            .map(|(_, denials)| denials)
            .collect();
        drop(kept);
        taken
    }

    /// Keeps what could not be written for another try, as far as there is room.
    pub fn put_back(&self, denials: Vec<Denials>) {
        for one in denials {
            self.add(one);
        }
    }

    fn add(&self, one: Denials) {
        let who = match one.address.filter(|_| one.subject == "anonymous") {
            Some(address) => address.to_string(),
            None => one.subject.clone(),
        };
        let mut key = Key {
            minute: one.minute,
            who,
            route: one.route.clone(),
            status: one.status,
        };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut one = one;
        if kept.len() >= KEPT && !kept.contains_key(&key) {
            key.who.clear();
            key.route.clear();
            one.subject = "anonymous".to_owned();
            one.address = None;
            one.session = None;
            one.route = "many routes, by more callers than are told apart".to_owned();
        }
        match kept.get_mut(&key) {
            Some(known) => known.count = known.count.saturating_add(one.count),
            None => drop(kept.insert(key, one)),
        }
    }
}

impl OnDenied for DenialLog {
    fn denied(&self, denied: &Denied<'_>) {
        let now = Timestamp::now().as_second();
        let identity = denied.who.identity();
        self.add(Denials {
            minute: now - now.rem_euclid(MINUTE),
            subject: denied.who.subject().to_owned(),
            tenant: identity.map(|identity| identity.tenant.clone()).unwrap_or_default(),
            session: identity.and_then(|identity| identity.session.clone()),
            address: denied.address,
            route: [denied.method, " ", denied.route].concat().trim().to_owned(),
            status: denied.status,
            request_id: denied.request_id.to_owned(),
            count: 1,
        });
    }
}

impl fmt::Debug for DenialLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DenialLog")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;

    fn denied<'a>(who: &'a Principal, address: &str, route: &'a str, status: u16) -> Denied<'a> {
        Denied {
            who,
            address: Some(address.parse().unwrap()),
            method: "GET",
            route,
            status,
            request_id: "r",
        }
    }

    #[test]
    fn refusals_count_together_by_caller_route_and_status() {
        let log = DenialLog::new();
        let nobody = Principal::Anonymous;
        for (address, route, status) in [
            ("1.1.1.1", "/a", 401),
            ("1.1.1.1", "/a", 401),
            ("1.1.1.1", "/a", 429),
            ("1.1.1.2", "/a", 401),
            ("1.1.1.1", "/b", 401),
        ] {
            log.denied(&denied(&nobody, address, route, status));
        }
        assert_eq!(log.take(Timestamp::UNIX_EPOCH, false), []);
        let mut counts: Vec<u32> = log.take(Timestamp::now(), true).iter().map(|denials| denials.count).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 1, 1, 2]);
        assert_eq!(log.take(Timestamp::now(), true), []);
    }

    #[test]
    fn whoever_changes_address_or_route_fills_nothing() {
        let log = DenialLog::new();
        let many = u32::try_from(KEPT).unwrap() * 2;
        for number in 0..many {
            let address = std::net::Ipv4Addr::from_bits(number).to_string();
            log.denied(&denied(&Principal::Anonymous, &address, "/a", 401));
        }
        let taken = log.take(Timestamp::now(), true);
        assert!(taken.len() <= KEPT + 2, "{}", taken.len());
        assert_eq!(taken.iter().map(|denials| denials.count).sum::<u32>(), many);
    }
}
