//! The subscriptions of a module, and their way to the host.

use std::collections::BTreeMap;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RVec};
use wharf_plugin_api::exports::events::Subscription as FfiSubscription;
use wharf_plugin_api::exports::events::{Delivery, EventHandlers, EventHandlers_TO, EventsExport, Order, Published, StartFrom};
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::{Fault, FaultCode, guard, guard_drop};

use super::Event;
use super::context::{EventContext, deadline, read};
use crate::bridge::core::Core;
use crate::bridge::scope::{self, Scoped};
use crate::module::{Error, Module};

/// A handler of events: an async function of the module, the event and its context.
#[diagnostic::on_unimplemented(
    message = "this is no handler of `{E}`",
    note = "it needs the form `async fn on_it(self: Arc<Self>, event: {E}, ctx: EventContext) -> Result<(), wharf_sdk::Error>`"
)]
pub trait EventHandler<M, E>: Send + Sync + 'static {
    /// Handles one.
    fn handle(&self, module: Arc<M>, event: E, context: EventContext) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;
}

impl<M, E, F, Fut> EventHandler<M, E> for F
where
    F: Fn(Arc<M>, E, EventContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Error>> + Send + 'static,
{
    fn handle(&self, module: Arc<M>, event: E, context: EventContext) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send>> {
        Box::pin(self(module, event, context))
    }
}

/// How a subscription is worked on. A name alone is one with the host's defaults, which sees events from now on, ordered by key.
#[derive(Clone, Debug)]
#[must_use]
pub struct Subscription {
    name: String,
    from: StartFrom,
    order: Order,
    concurrency: u32,
    max_attempts: u32,
    timeout: Duration,
}

impl Subscription {
    /// The name is unique in the module and stays the same in every version: what is waiting is found under it.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            from: StartFrom::NOW,
            order: Order::KEY,
            concurrency: 0,
            max_attempts: 0,
            timeout: Duration::ZERO,
        }
    }

    /// When it is new, it first gets every event that is still kept.
    pub fn from_start(mut self) -> Self {
        self.from = StartFrom::START;
        self
    }

    /// Events are handled in any order, also those of one key.
    pub fn unordered(mut self) -> Self {
        self.order = Order::NONE;
        self
    }

    /// So many at a time.
    pub fn concurrency(mut self, at_a_time: u32) -> Self {
        self.concurrency = at_a_time;
        self
    }

    /// After so many tries an event goes to the dead letters.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// A try that takes longer is cut and counts as failed.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.timeout = time;
        self
    }
}

impl From<&str> for Subscription {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

type Handle<M> =
    Box<dyn Fn(Arc<M>, Value, EventContext) -> Result<Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>, Fault> + Send + Sync>;

/// The subscriptions of a module: `Handlers::new().on::<PostPublished>("index-posts", Self::on_published)`.
#[must_use]
pub struct Handlers<M> {
    subscriptions: Vec<FfiSubscription>,
    published: Vec<Published>,
    handlers: BTreeMap<String, Handle<M>>,
    module: PhantomData<fn(M)>,
}

impl<M: Module> Default for Handlers<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Module> Handlers<M> {
    /// None.
    pub fn new() -> Self {
        Self {
            subscriptions: Vec::new(),
            published: Vec::new(),
            handlers: BTreeMap::new(),
            module: PhantomData,
        }
    }

    /// Subscribes to events of a type; it must be listed in `wharf.toml` under `[events] subscribes`. A second subscription of
    /// the same name is refused by the host.
    pub fn on<E: Event>(mut self, subscription: impl Into<Subscription>, handler: impl EventHandler<M, E>) -> Self {
        let subscription = subscription.into();
        self.subscriptions.push(FfiSubscription {
            name: subscription.name.as_str().into(),
            event_type: E::TYPE.into(),
            from: subscription.from,
            order: subscription.order,
            concurrency: subscription.concurrency,
            max_attempts: subscription.max_attempts,
            timeout_ms: u64::try_from(subscription.timeout.as_millis()).unwrap_or(u64::MAX),
            schema: schema_of::<E>().into(),
        });
        let handle = move |module: Arc<M>, data: Value, context: EventContext| {
            let event = serde_path_to_error::deserialize(data).map_err(|error| {
                let text = format!("the data is no {}: {error}", E::TYPE);
                Fault::new(FaultCode::INVALID, text)
            })?;
            Ok(handler.handle(module, event, context))
        };
        self.handlers.insert(subscription.name, Box::new(handle));
        self
    }

    /// Shows the schema of a type of event that this module publishes: `wharf events schema` prints it.
    pub fn publishes<E: Event>(mut self) -> Self {
        self.published.push(Published {
            event_type: E::TYPE.into(),
            schema: schema_of::<E>().into(),
        });
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.subscriptions.is_empty() && self.published.is_empty()
    }
}

fn schema_of<E: Event>() -> String {
    serde_json::to_string(&schemars::schema_for!(E)).unwrap_or_default()
}

impl<M> std::fmt::Debug for Handlers<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.subscriptions).finish()
    }
}

/// What the host gets.
pub(crate) struct EventsObject<M: Module>(Arc<Held<M>>);

struct Held<M: Module> {
    core: Arc<Core>,
    /// Taken out in its drop.
    inside: Option<(Arc<M>, Arc<Handlers<M>>)>,
}

impl<M: Module> EventsObject<M> {
    pub(crate) fn export(core: Arc<Core>, module: Arc<M>, handlers: Arc<Handlers<M>>) -> EventsExport {
        let held = Held {
            core,
            inside: Some((module, handlers)),
        };
        EventHandlers_TO::from_ptr(RArc::new(Self(Arc::new(held))), TD_Opaque)
    }
}

impl<M: Module> Clone for EventsObject<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M: Module> Held<M> {
    fn inside(&self) -> Option<&(Arc<M>, Arc<Handlers<M>>)> {
        self.inside.as_ref()
    }
}

/// The handlers may be the last to hold the module: its drop runs as the instance.
impl<M: Module> Drop for Held<M> {
    fn drop(&mut self) {
        let core = self.core.clone();
        let _entered = scope::enter(&core, None);
        if let Some((module, handlers)) = self.inside.take() {
            guard_drop(|| drop(handlers));
            guard_drop(|| drop(module));
        }
    }
}

impl<M: Module> EventHandlers for EventsObject<M> {
    fn subscriptions(&self) -> RVec<FfiSubscription> {
        guard(|| {
            self.0
                .inside()
                .map(|(_, handlers)| handlers.subscriptions.clone().into())
                .unwrap_or_default()
        })
        .unwrap_or_default()
    }

    fn published(&self) -> RVec<Published> {
        guard(|| {
            self.0
                .inside()
                .map(|(_, handlers)| handlers.published.clone().into())
                .unwrap_or_default()
        })
        .unwrap_or_default()
    }

    fn handle(&self, delivery: Delivery) -> FfiFuture<()> {
        let held = self.0.clone();
        guard(|| {
            let core = held.core.clone();
            FfiFuture::new(Scoped::of_own(core, async move { handle(&held, delivery).await }))
        })
        .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }
}

async fn handle<M: Module>(held: &Held<M>, delivery: Delivery) -> Result<(), Fault> {
    let unknown = || {
        let text = format!("found no subscription {:?} in this build", delivery.subscription.as_str());
        Fault::new(FaultCode::NOT_FOUND, text)
    };
    let (module, handlers) = held.inside().ok_or_else(unknown)?;
    let handler = handlers.handlers.get(delivery.subscription.as_str()).ok_or_else(unknown)?;
    let (meta, data) = read(&delivery.envelope)?;
    let context = EventContext {
        meta,
        subscription: delivery.subscription.into(),
        attempt: delivery.attempt,
        max_attempts: delivery.max_attempts,
        deadline: deadline(delivery.timeout_ms),
        tx: delivery.tx,
        core: held.core.clone(),
    };
    let handling = handler(Arc::clone(module), data, context)?;
    handling.await.map_err(|error| Fault::from_error(FaultCode::FAILED, &*error))
}
