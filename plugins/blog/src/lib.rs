//! Posts, drafts, comments, tags, images and search.

use wharf_sdk::{Context, Error, Module, NoConfig, export_module};

export_module!(Blog);

/// The module.
#[derive(Clone, Debug)]
pub struct Blog;

impl Module for Blog {
    type Config = NoConfig;

    async fn init(_: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self)
    }
}
