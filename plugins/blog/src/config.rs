//! The section `[modules.blog]` of the host's configuration.

use schemars::JsonSchema;
use serde::Deserialize;

/// What operators may set.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where readers reach this installation; addresses in the feed begin with it.
    pub public_url: String,
    /// Name of the blog, in the feed.
    #[schemars(length(min = 1, max = 200))]
    pub title: String,
    /// How long what is read often may be old.
    pub cache: CacheAges,
    /// What happens with comments.
    pub comments: Comments,
    /// Which images are taken.
    pub images: Images,
    /// How much of the past is kept.
    pub revisions: Revisions,
    /// Whether and how views of posts are told to others.
    pub views: Views,
}

/// In seconds. What changes is taken out of the cache at once; these are for what was missed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CacheAges {
    /// Of a published post.
    #[schemars(range(min = 1, max = 86_400))]
    pub post_seconds: u32,
    /// Of the name of an author.
    #[schemars(range(min = 1, max = 86_400))]
    pub author_seconds: u32,
}

/// Comments.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Comments {
    /// Whether somebody has to approve a comment before others see it.
    pub moderated: bool,
}

/// Images.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Images {
    /// Largest image, in bytes.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub max_bytes: u64,
}

/// Revisions.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Revisions {
    /// How many are kept of each post: the newest.
    #[schemars(range(min = 1, max = 10_000))]
    pub keep: u32,
}

/// Views.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Views {
    /// Whether they are told at all.
    pub enabled: bool,
    /// How long views are gathered before they are written together: what a crash may lose.
    #[schemars(range(min = 10, max = 60_000))]
    pub flush_ms: u32,
    /// Most views that wait to be written; more are counted and dropped.
    #[schemars(range(min = 100, max = 1_000_000))]
    pub waiting: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            title: "Blog".to_owned(),
            cache: CacheAges::default(),
            comments: Comments::default(),
            images: Images::default(),
            revisions: Revisions::default(),
            views: Views::default(),
        }
    }
}

impl Default for CacheAges {
    fn default() -> Self {
        Self {
            post_seconds: 60,
            author_seconds: 600,
        }
    }
}

impl Default for Comments {
    fn default() -> Self {
        Self { moderated: true }
    }
}

impl Default for Images {
    fn default() -> Self {
        Self { max_bytes: 10 << 20 }
    }
}

impl Default for Revisions {
    fn default() -> Self {
        Self { keep: 50 }
    }
}

impl Default for Views {
    fn default() -> Self {
        Self {
            enabled: true,
            flush_ms: 250,
            waiting: 10_000,
        }
    }
}
