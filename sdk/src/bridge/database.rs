//! What an instance has of its database: made when it is first asked for.

use std::sync::{Arc, OnceLock};

use wharf_plugin_api::Fault;

use super::core::Core;
use crate::services::database::{Entities, Link};

/// Entities and link of one instance.
#[derive(Default)]
pub(crate) struct Database {
    entities: OnceLock<Entities>,
    link: OnceLock<Arc<Link>>,
}

impl Core {
    /// Says which tables the module has. Only the first time counts.
    pub(crate) fn set_entities(&self, entities: Entities) {
        drop(self.database.entities.set(entities));
    }

    pub(crate) fn link(&self) -> Result<Arc<Link>, Fault> {
        if let Some(link) = self.database.link.get() {
            return Ok(link.clone());
        }
        let entities = self.database.entities.get().cloned().unwrap_or_default();
        let link = Arc::new(Link::new(self.import()?, entities)?);
        Ok(self.database.link.get_or_init(|| link).clone())
    }
}
