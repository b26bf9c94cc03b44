//! What core services keep for one call: dropped when the call has ended, however it ends.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// What core services keep for one call. Nothing is made for a call that needs none. Clones are the same call: the response
/// body goes on with what the handler had.
#[derive(Clone, Default)]
pub struct Belongings(OnceLock<Arc<dyn Any + Send + Sync>>);

impl Belongings {
    /// What the call keeps, made when it is first asked for; none when it keeps something of another type.
    pub fn get_or_make<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<Arc<T>> {
        Arc::clone(self.0.get_or_init(|| Arc::new(make()))).downcast().ok()
    }
}

impl fmt::Debug for Belongings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.get().is_some() { "Belongings(..)" } else { "Belongings" })
    }
}
