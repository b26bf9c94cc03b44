//! The cache in Redis, for all nodes.
//!
//! A server that does not answer opens a circuit: from then on nothing is sent, reads find nothing and everything else fails
//! at once, while one task asks whether it is back. Scripts are sent again to a server that has forgotten them.

mod link;
mod scripts;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fred::interfaces::KeysInterface;
use fred::types::{Expiration, Value};

use self::link::Link;
use self::scripts::Scripts;
use super::near::Near;
use crate::infra::redis::RedisError;
use crate::ports::cache::{CacheError, CacheSpace, CacheStore, LONGEST_TTL, Left, Reply, Space, Token, new_owner};

/// Keys in one command.
const AT_ONCE: usize = 500;

/// How to connect.
#[derive(Clone)]
pub struct RedisCacheConfig {
    /// Where it is; may hold a password.
    pub url: String,
    /// What every key begins with.
    pub prefix: String,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Connections.
    pub connections: usize,
    /// Bytes kept in this process of what was read; 0 for none.
    pub near: u64,
}

/// The cache of all nodes.
#[derive(Debug)]
pub struct RedisCache {
    link: Arc<Link>,
    prefix: String,
}

struct RedisSpace {
    link: Arc<Link>,
    scripts: Scripts,
    values: String,
    locks: String,
}

impl RedisCache {
    /// Connects, and waits for that a moment; a server that is away is tried again for ever. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the URL is none of Redis, or asks for something that a cluster cannot do.
    pub async fn start(config: &RedisCacheConfig) -> Result<Self, RedisError> {
        Ok(Self {
            link: Link::start(config).await?,
            prefix: config.prefix.clone(),
        })
    }
}

impl CacheStore for RedisCache {
    fn space(&self, space: &Space) -> Arc<dyn CacheSpace> {
        Arc::new(RedisSpace {
            link: self.link.clone(),
            scripts: Scripts::new(),
            values: format!("{}:{}", self.prefix, space.values()),
            locks: format!("{}:{}", self.prefix, space.locks()),
        })
    }
}

impl RedisSpace {
    fn key(&self, key: &str) -> String {
        [self.values.as_str(), key].concat()
    }

    /// The lock, and the fence that outlives it.
    fn lock_keys(&self, name: &str) -> Vec<String> {
        vec![format!("{}{name}", self.locks), format!("{}{name}:fence", self.locks)]
    }

    /// Runs one operation that writes a value, and forgets what is known of it here before and after.
    fn write<T: Send + 'static, F>(&self, key: String, operation: impl FnOnce(Arc<Link>, String) -> F) -> Reply<T>
    where
        F: Future<Output = Result<T, CacheError>> + Send + 'static,
    {
        let link = self.link.clone();
        link.changed(&key);
        let written = operation(self.link.clone(), key.clone());
        Reply::later(async move {
            let result = written.await;
            link.changed(&key);
            result
        })
    }
}

impl CacheSpace for RedisSpace {
    fn get(&self, key: &str) -> Reply<Option<Bytes>> {
        let key = self.key(key);
        if let Some(near) = self.link.near()
            && let Some(value) = near.get(&key)
        {
            return Reply::Now(Ok(Some(value)));
        }
        let link = self.link.clone();
        Reply::later(async move {
            let found = match link.near() {
                Some(near) => read_near(&link, near, key).await,
                None => link.run(async |client| client.get::<Option<Bytes>, _>(key).await).await,
            };
            miss(found)
        })
    }

    fn set(&self, key: &str, value: Bytes, ttl: Option<Duration>) -> Reply<()> {
        self.write(self.key(key), async move |link: Arc<Link>, key: String| {
            link.run(async |client| client.set::<(), _, _>(key, value, expiration(ttl), None, false).await)
                .await
        })
    }

    fn delete(&self, key: &str) -> Reply<bool> {
        self.write(self.key(key), async move |link: Arc<Link>, key: String| {
            let were: i64 = link.run(async |client| client.unlink(key).await).await?;
            Ok(were > 0)
        })
    }

    fn get_many(&self, keys: &[&str]) -> Reply<Vec<Option<Bytes>>> {
        let (link, keys): (_, Vec<String>) = (self.link.clone(), keys.iter().map(|key| self.key(key)).collect());
        Reply::later(async move {
            let mut values = Vec::with_capacity(keys.len());
            for some in keys.chunks(AT_ONCE) {
                let found: Result<Vec<Option<Bytes>>, _> = link.run(async |client| client.mget(some.to_vec()).await).await;
                match found {
                    Ok(found) => values.extend(found),
                    Err(CacheError::Unavailable(_)) => values.resize(values.len() + some.len(), None),
                    Err(error) => return Err(error),
                }
            }
            Ok(values)
        })
    }

    fn set_many(&self, entries: Vec<(String, Bytes)>, ttl: Option<Duration>) -> Reply<()> {
        let (link, entries): (_, Vec<_>) = (
            self.link.clone(),
            entries.into_iter().map(|(key, value)| (self.key(&key), value)).collect(),
        );
        Reply::later(async move {
            for some in entries.chunks(AT_ONCE) {
                some.iter().for_each(|(key, _)| link.changed(key));
                let done = link
                    .run(async |client| {
                        let pipeline = client.pipeline();
                        for (key, value) in some {
                            let _: () = pipeline.set(key.as_str(), value.clone(), expiration(ttl), None, false).await?;
                        }
                        pipeline.all::<Vec<Value>>().await
                    })
                    .await;
                some.iter().for_each(|(key, _)| link.changed(key));
                done?;
            }
            Ok(())
        })
    }

    fn delete_many(&self, keys: &[&str]) -> Reply<u64> {
        let (link, keys): (_, Vec<String>) = (self.link.clone(), keys.iter().map(|key| self.key(key)).collect());
        Reply::later(async move {
            let mut were = 0;
            for some in keys.chunks(AT_ONCE) {
                some.iter().for_each(|key| link.changed(key));
                let some_were = link.run(async |client| client.unlink::<u64, _>(some.to_vec()).await).await;
                some.iter().for_each(|key| link.changed(key));
                were += some_were?;
            }
            Ok(were)
        })
    }

    fn increment(&self, key: &str, by: i64, ttl: Option<Duration>) -> Reply<i64> {
        let script = self.scripts.increment.clone();
        self.write(self.key(key), async move |link: Arc<Link>, key: String| {
            // As text: a number of a script is a float, and loses what is above 2^53.
            let counted: Result<String, _> = link.script(&script, vec![key], vec![by.to_string(), millis(ttl)]).await;
            match counted {
                Ok(digits) => digits.parse().map_err(|_| CacheError::NotANumber),
                Err(CacheError::Refused(why)) if why.contains("not an integer") || why.contains("overflow") => Err(CacheError::NotANumber),
                Err(error) => Err(error),
            }
        })
    }

    fn compare_and_set(&self, key: &str, expected: Option<Bytes>, new: Option<Bytes>, ttl: Option<Duration>) -> Reply<bool> {
        let script = self.scripts.compare_and_set.clone();
        self.write(self.key(key), async move |link: Arc<Link>, key: String| {
            let flag = |value: &Option<Bytes>| Value::from(if value.is_some() { "1" } else { "0" });
            let arguments = vec![
                flag(&expected),
                Value::Bytes(expected.unwrap_or_default()),
                flag(&new),
                Value::Bytes(new.unwrap_or_default()),
                Value::from(millis(ttl)),
            ];
            let replaced: i64 = link.script(&script, vec![key], arguments).await?;
            Ok(replaced == 1)
        })
    }

    fn touch(&self, key: &str, ttl: Option<Duration>) -> Reply<bool> {
        self.write(self.key(key), async move |link: Arc<Link>, key: String| {
            let is_there: i64 = match ttl {
                Some(ttl) => link.run(async |client| client.pexpire(key, whole_millis(ttl), None).await).await?,
                None => {
                    let (_, is_there): (i64, i64) = link
                        .run(async |client| {
                            let pipeline = client.pipeline();
                            let _: () = pipeline.persist(key.as_str()).await?;
                            let _: () = pipeline.exists(key.as_str()).await?;
                            pipeline.all().await
                        })
                        .await?;
                    is_there
                }
            };
            Ok(is_there == 1)
        })
    }

    fn ttl(&self, key: &str) -> Reply<Left> {
        let (link, key) = (self.link.clone(), self.key(key));
        Reply::later(async move { Ok(left(link.run(async |client| client.pttl(key).await).await?)) })
    }

    fn clear(&self, prefix: &str) -> Reply<u64> {
        let (link, pattern) = (self.link.clone(), format!("{}*", escaped(&self.key(prefix))));
        Reply::later(async move {
            let (mut cursor, mut were) = ("0".to_owned(), 0);
            loop {
                let (next, keys): (String, Vec<String>) = link
                    .run(async |client| client.scan_page(cursor.as_str(), pattern.as_str(), Some(1_000), None).await)
                    .await?;
                for some in keys.chunks(AT_ONCE) {
                    were += link.run(async |client| client.unlink::<u64, _>(some.to_vec()).await).await?;
                    some.iter().for_each(|key| link.changed(key));
                }
                if next == "0" {
                    return Ok(were);
                }
                cursor = next;
            }
        })
    }

    fn lock(&self, name: &str, lease: Duration) -> Reply<Option<Token>> {
        let (link, script, keys) = (self.link.clone(), self.scripts.lock.clone(), self.lock_keys(name));
        Reply::later(async move {
            let owner = new_owner();
            let arguments = vec![owner.to_string(), whole_millis(lease).to_string()];
            let fence: Option<String> = link.script(&script, keys, arguments).await?;
            Ok(fence.and_then(|fence| fence.parse().ok()).map(|fence| Token { owner, fence }))
        })
    }

    fn renew(&self, name: &str, token: Token, lease: Duration) -> Reply<bool> {
        let (link, script, mut keys) = (self.link.clone(), self.scripts.renew.clone(), self.lock_keys(name));
        keys.truncate(1);
        Reply::later(async move {
            let arguments = vec![held_by(token), whole_millis(lease).to_string()];
            Ok(link.script::<i64, _>(&script, keys, arguments).await? == 1)
        })
    }

    fn unlock(&self, name: &str, token: Token) -> Reply<bool> {
        let (link, script, mut keys) = (self.link.clone(), self.scripts.unlock.clone(), self.lock_keys(name));
        keys.truncate(1);
        Reply::later(async move { Ok(link.script::<i64, _>(&script, keys, vec![held_by(token)]).await? == 1) })
    }
}

/// Reads value and time to live together, so that the copy here ends when the value does.
async fn read_near(link: &Link, near: &Near, key: String) -> Result<Option<Bytes>, CacheError> {
    let before = near.before(&key);
    let (value, ttl): (Option<Bytes>, i64) = link
        .run(async |client| {
            let pipeline = client.pipeline();
            let _: () = pipeline.get(key.as_str()).await?;
            let _: () = pipeline.pttl(key.as_str()).await?;
            pipeline.all().await
        })
        .await?;
    if let Some(value) = &value
        && link.near().is_some()
    {
        match left(ttl) {
            Left::Missing => {}
            Left::Forever => near.keep(&key, value.clone(), None, before),
            Left::Time(ttl) => near.keep(&key, value.clone(), Some(ttl), before),
        }
    }
    Ok(value)
}

/// A read from a cache that is away finds nothing.
fn miss<T>(found: Result<Option<T>, CacheError>) -> Result<Option<T>, CacheError> {
    match found {
        Err(CacheError::Unavailable(_)) => Ok(None),
        found => found,
    }
}

fn held_by(token: Token) -> String {
    format!("{}:{}", token.owner, token.fence)
}

fn expiration(ttl: Option<Duration>) -> Option<Expiration> {
    ttl.map(|ttl| Expiration::PX(whole_millis(ttl)))
}

fn whole_millis(time: Duration) -> i64 {
    i64::try_from(time.min(LONGEST_TTL).as_millis()).unwrap_or(i64::MAX).max(1)
}

/// For scripts: nothing stands for none.
fn millis(ttl: Option<Duration>) -> String {
    ttl.map(|ttl| whole_millis(ttl).to_string()).unwrap_or_default()
}

fn left(milliseconds: i64) -> Left {
    match milliseconds {
        -1 => Left::Forever,
        some => u64::try_from(some).map_or(Left::Missing, |some| Left::Time(Duration::from_millis(some))),
    }
}

/// A text that a pattern of Redis takes literally.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(all(test, feature = "servers"))]
#[path = "redis/servers.rs"]
mod servers;
