//! The cache in Redis. The one in this process is the port's own form in memory.

#[cfg(any())]
mod near;
#[cfg(any())]
mod redis;

#[cfg(any())]
pub use redis::{RedisCache, RedisCacheConfig};
