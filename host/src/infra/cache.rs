//! The cache in Redis. The one in this process is the port's own form in memory.

mod near;
mod redis;

pub use redis::{RedisCache, RedisCacheConfig};
