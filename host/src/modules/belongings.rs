//! What core services keep for one call: dropped when the call has ended, however it ends.
//!
//! A call that a module makes while it works on another one knows what is kept for that one, and for those further up: so a
//! service can see what the call tree holds already. It does not keep it: what belongs to a call ends with that call.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

type Kept = dyn Any + Send + Sync;

/// What core services keep for one call. Nothing is made for a call that needs none. Clones are the same call: the response
/// body goes on with what the handler had.
#[derive(Clone, Default)]
pub struct Belongings {
    own: OnceLock<Arc<Kept>>,
    above: Option<Arc<Above>>,
}

/// A call further up, in whose course this one was made.
struct Above {
    /// Whose call it is: the module that works on it.
    module: String,
    own: Weak<Kept>,
    above: Option<Arc<Above>>,
}

impl Belongings {
    /// For a call that `module` makes while it works on the one these belong to. A call that keeps nothing leaves no trace.
    #[must_use]
    pub fn below(&self, module: &str) -> Self {
        let above = match self.own.get() {
            Some(own) => Some(Arc::new(Above {
                module: module.to_owned(),
                own: Arc::downgrade(own),
                above: self.above.clone(),
            })),
            None => self.above.clone(),
        };
        Self {
            own: OnceLock::new(),
            above,
        }
    }

    /// What the call keeps, made when it is first asked for; none when it keeps something of another type.
    pub fn get_or_make<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Option<Arc<T>> {
        Arc::clone(self.own.get_or_init(|| Arc::new(make()))).downcast().ok()
    }

    /// Whether a call further up keeps something.
    #[must_use]
    pub const fn is_below(&self) -> bool {
        self.above.is_some()
    }

    /// Whether calls further up that `module` works on keep something of which this is true.
    pub fn any_above<T: Any + Send + Sync>(&self, module: &str, is: impl Fn(&T) -> bool) -> bool {
        let mut next = self.above.as_ref();
        while let Some(call) = next {
            let kept = if call.module == module { call.own.upgrade() } else { None };
            if kept.and_then(|kept| kept.downcast::<T>().ok()).is_some_and(|kept| is(&kept)) {
                return true;
            }
            next = call.above.as_ref();
        }
        false
    }
}

impl fmt::Debug for Belongings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.own.get().is_some() { "Belongings(..)" } else { "Belongings" })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_call_sees_what_calls_of_a_module_further_up_keep_and_keeps_none_of_it() {
        let first = Belongings::default();
        let kept = first.get_or_make(|| 7_u32).unwrap();
        let second = first.below("blog");
        let third = second.below("identity");
        assert!(third.any_above("blog", |kept: &u32| *kept == 7));
        assert!(!third.any_above("identity", |_: &u32| true), "it keeps nothing");
        assert!(!third.any_above("blog", |_: &u64| true), "it keeps something else");
        assert!(!first.any_above("blog", |_: &u32| true), "it is not above itself");
        drop((first, kept));
        assert!(
            third.is_below() && !third.any_above("blog", |_: &u32| true),
            "the call above has ended"
        );
    }

    #[test]
    fn a_call_that_keeps_nothing_leaves_no_trace_below() {
        assert!(!Belongings::default().below("blog").below("identity").is_below());
    }
}
