//! Events of one host: publishing, the relays of publishers, the lanes of subscribers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use wharf_plugin_api::sql::Value;

use super::delivery::{Delivering, Handles, Try};
use super::envelope::{EnvelopeError, Published, Sealed, is_shared, publisher};
use super::outbox;
use super::relay::{self, Relay, address};
use super::subscribers::{self, Wanted};
use crate::failpoint;
use crate::ports::database::{DbError, Dialect, On, TxId};
use crate::ports::transport::{Address, Intake, Receiving, Taken, Transport, TransportFuture};
use crate::queue::{Filter, Kind, Lane, LaneSettings, Queue, Queues, State};
use crate::telemetry::Metrics;

/// Events that may be lost and are under way at a time, over all modules.
const TRANSIENT: usize = 256;
/// How often old rows are looked for, and numbers are counted.
const UPKEEP: Duration = Duration::from_secs(15);

/// What the hub goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSettings {
    /// How long events are kept after they were relayed: so far back can be replayed and caught up.
    pub retention: Duration,
    /// How long events are kept that a subscription has not seen because its module is disabled or too slow.
    pub backlog_retention: Duration,
    /// How long dead letters are kept.
    pub dead_letter_retention: Duration,
    /// Deliveries that may wait for one subscription.
    pub backlog: u64,
    /// Tries, unless the subscription says otherwise.
    pub max_attempts: u32,
    /// Time for one try, unless the subscription says otherwise.
    pub timeout: Duration,
    /// Deliveries in one lease.
    pub batch: usize,
}

impl Default for EventSettings {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 3600);
        Self {
            retention: 7 * day,
            backlog_retention: 30 * day,
            dead_letter_retention: 30 * day,
            backlog: 100_000,
            max_attempts: 10,
            timeout: Duration::from_secs(30),
            batch: 50,
        }
    }
}

/// Why an event was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// It is no event.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The database did not take it.
    #[error("the event could not be written: {0}")]
    Database(#[from] DbError),
    /// A test wanted it so.
    #[error("{0}")]
    Injected(#[from] failpoint::Injected),
    /// Too many are under way.
    #[error("{TRANSIENT} events that may be lost are under way already; this one is lost")]
    Busy,
}

/// Events of one host. Clones are the same.
#[derive(Clone)]
pub struct EventHub(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) queues: Arc<Queues>,
    transport: Option<Arc<dyn Transport>>,
    metrics: Metrics,
    settings: EventSettings,
    relays: Mutex<BTreeMap<String, AbortHandle>>,
    local: Mutex<Vec<Local>>,
    pub(super) schemas: Mutex<BTreeMap<(String, String), String>>,
    transient: Arc<Semaphore>,
}

/// A subscription that runs here.
#[derive(Clone)]
struct Local {
    instance: u64,
    event_type: String,
    subscription: String,
    timeout: Duration,
    handles: Arc<dyn Handles>,
}

/// What an instance does with events; it ends with [`EventLanes::drain`].
pub(crate) struct EventLanes {
    hub: EventHub,
    instance: u64,
    lanes: Vec<Lane>,
    receiving: Vec<Box<dyn Receiving>>,
}

impl EventHub {
    /// Nothing runs yet.
    #[must_use]
    pub fn new(queues: Arc<Queues>, transport: Option<Arc<dyn Transport>>, metrics: Metrics, settings: EventSettings) -> Self {
        let hub = Self(Arc::new(Inner {
            queues,
            transport,
            metrics,
            settings,
            relays: Mutex::default(),
            local: Mutex::default(),
            schemas: Mutex::default(),
            transient: Arc::new(Semaphore::new(TRANSIENT)),
        }));
        let weak = Arc::downgrade(&hub.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(UPKEEP).await;
                let Some(inner) = weak.upgrade() else { return };
                if let Err(error) = Self(inner).upkeep().await {
                    tracing::debug!(error = %error, "old events could not be looked for; it is tried again");
                }
            }
        });
        hub
    }

    /// What it goes by.
    #[must_use]
    pub fn settings(&self) -> &EventSettings {
        &self.0.settings
    }

    /// Publishes in a transaction of the publisher's space, or by itself. Gives the event's id.
    ///
    /// # Errors
    /// [`HubError`]; in a transaction, that is to be rolled back.
    pub async fn publish(&self, event: Published, tx: Option<TxId>) -> Result<String, HubError> {
        let module = event.module.clone();
        let queue = self.0.queues.of(&module).await?;
        let sealed = event.seal(queue.now())?;
        failpoint::hit("events.publish").await?;
        outbox::write(&queue, tx.map_or(On::Pool, On::Tx), &sealed).await?;
        self.ensure_relay(&queue);
        let labels = [("module", module.as_str()), ("type", sealed.event_type.as_str())];
        self.0.metrics.own_counter("wharf_events_published_total", &labels).increment(1);
        Ok(sealed.id)
    }

    /// Gives an event to handlers that run here now, and forgets it.
    ///
    /// # Errors
    /// [`HubError::Envelope`], [`HubError::Busy`].
    pub fn publish_transient(&self, event: Published) -> Result<String, HubError> {
        let sealed = event.seal(self.0.queues.clock().now())?;
        let takers: Vec<Local> = lock(&self.0.local)
            .iter()
            .filter(|local| local.event_type == sealed.event_type)
            .cloned()
            .collect();
        for local in takers {
            let permit = self.0.transient.clone().try_acquire_owned().map_err(|_| HubError::Busy)?;
            let envelope = sealed.envelope.clone();
            tokio::spawn(async move {
                let attempt = Try {
                    subscription: local.subscription.clone(),
                    envelope,
                    attempt: 1,
                    max_attempts: 1,
                    timeout: local.timeout,
                    tx: None,
                };
                if !matches!(tokio::time::timeout(local.timeout, local.handles.handle(attempt)).await, Ok(Ok(()))) {
                    tracing::debug!(subscription = local.subscription, "an event that may be lost was lost");
                }
                drop(permit);
            });
        }
        Ok(sealed.id)
    }

    /// Makes subscriptions known to their publishers. From then on their events are kept for the module, whether it runs or not.
    ///
    /// # Errors
    /// What the database says.
    pub async fn declare(&self, module: &str, wanted: &[Wanted]) -> Result<(), DbError> {
        subscribers::declare(&self.0.queues, module, wanted).await?;
        if wanted.iter().any(|subscription| is_shared(&subscription.event_type)) {
            // Any module may have published already: what it has is found from the start.
            for queue in self.0.queues.all() {
                subscribers::adopt(&self.0.queues, &queue, On::Pool).await?;
                self.ensure_relay(&queue);
            }
        }
        for subscription in wanted {
            self.ensure_relay(&self.0.queues.of(publisher(&subscription.event_type)).await?);
            if let Some(transport) = &self.0.transport {
                let to = address(module, &subscription.name, &subscription.event_type);
                if let Err(error) = transport.route(&to).await {
                    tracing::warn!(module.id = module, subscription = subscription.name, error = %error, cause = %error.source, "the broker has no way to a subscription yet; it is tried again when it is received");
                }
            }
        }
        Ok(())
    }

    /// Relays audit records of a module, also those that an earlier process has left.
    ///
    /// # Errors
    /// What the database says.
    pub(crate) async fn relay_records(&self, module: &str) -> Result<(), DbError> {
        let queue = self.0.queues.of(module).await?;
        subscribers::adopt(&self.0.queues, &queue, On::Pool).await?;
        self.ensure_relay(&queue);
        Ok(())
    }

    /// Remembers the schemas of what a module publishes.
    pub fn show_schemas(&self, module: &str, schemas: impl Iterator<Item = (String, String)>) {
        let mut all = lock(&self.0.schemas);
        all.retain(|(of, _), _| of != module);
        all.extend(schemas.map(|(event_type, schema)| ((module.to_owned(), event_type), schema)));
    }

    /// Begins to deliver to an instance.
    pub(crate) async fn attach(
        &self,
        module: &str,
        instance: u64,
        wanted: &[Wanted],
        handles: Arc<dyn Handles>,
    ) -> Result<EventLanes, DbError> {
        let queue = self.0.queues.of(module).await?;
        self.ensure_relay(&queue);
        let mut lanes = EventLanes {
            hub: self.clone(),
            instance,
            lanes: Vec::new(),
            receiving: Vec::new(),
        };
        for subscription in wanted {
            lock(&self.0.local).push(Local {
                instance,
                event_type: subscription.event_type.clone(),
                subscription: subscription.name.clone(),
                timeout: subscription.timeout,
                handles: handles.clone(),
            });
            let work = Delivering {
                queue: queue.clone(),
                subscription: subscription.name.clone(),
                timeout: subscription.timeout,
                handles: handles.clone(),
                metrics: self.0.metrics.clone(),
            };
            let settings = self.lane(&queue, subscription, handles.wants_tx());
            lanes.lanes.push(Lane::start(queue.clone(), settings, Arc::new(work)));
            if let Some(transport) = &self.0.transport {
                let from = address(module, &subscription.name, &subscription.event_type);
                let intake = Receiver {
                    queues: self.0.queues.clone(),
                    wanted: subscription.clone(),
                };
                lanes.receiving.push(transport.receive(from, Arc::new(intake)));
            }
        }
        Ok(lanes)
    }

    fn lane(&self, queue: &Queue, wanted: &Wanted, wants_tx: bool) -> LaneSettings {
        let asked = usize::try_from(wanted.concurrency).unwrap_or(usize::MAX);
        let (batch, concurrency) = match queue.space().dialect() {
            // One writer: more at a time would only wait for each other, and a batch keeps the writer from others.
            Dialect::Sqlite if wants_tx => (self.0.settings.batch.min(20), 1),
            _ if wants_tx => (self.0.settings.batch, asked.clamp(1, 64)),
            _ => (1, if asked == 0 { 4 } else { asked.min(64) }),
        };
        LaneSettings {
            is_ordered: wanted.is_ordered,
            batch,
            concurrency,
            ..LaneSettings::new(Kind::EVENT, &wanted.name)
        }
    }

    /// One task a publisher, as long as the hub lives: also while the publisher does not run.
    pub(super) fn ensure_relay(&self, queue: &Queue) {
        let mut relays = lock(&self.0.relays);
        if relays.get(queue.module()).is_some_and(|task| !task.is_finished()) {
            return;
        }
        let relay = Relay {
            queues: self.0.queues.clone(),
            queue: queue.clone(),
            transport: self.0.transport.clone(),
            backlog: self.0.settings.backlog.max(2),
            known: Mutex::default(),
        };
        relays.insert(queue.module().to_owned(), tokio::spawn(relay::run(relay)).abort_handle());
    }

    /// Forgets what is old, and counts what is there.
    async fn upkeep(&self) -> Result<(), DbError> {
        let settings = &self.0.settings;
        for queue in self.0.queues.all() {
            let ago = |time: Duration| {
                let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
                queue.now().checked_sub(time).map_or(0, |at| at.as_millisecond())
            };
            outbox::forget(&queue, ago(settings.retention), ago(settings.backlog_retention)).await?;
            subscribers::forget(&queue, ago(settings.backlog_retention)).await?;
            let inbox = "DELETE FROM wharf_inbox WHERE done_ms < $1";
            let statement = queue.statement(inbox, vec![Value::int(ago(settings.backlog_retention))]);
            queue.space().execute(On::Pool, &statement).await?;
            let dead = Filter {
                state: Some(State::Dead),
                ended_before_ms: Some(ago(settings.dead_letter_retention)),
                ..Filter::default()
            };
            queue.purge(Kind::EVENT, &dead).await?;
            for count in queue.counts().await? {
                let labels = [
                    ("module", queue.module()),
                    ("kind", count.kind.as_str()),
                    ("name", count.name.as_str()),
                    ("state", count.state.name()),
                ];
                let value = f64::from(u32::try_from(count.count).unwrap_or(u32::MAX));
                self.0.metrics.own_gauge("wharf_queue_items", &labels).set(value);
            }
        }
        Ok(())
    }

    /// How much is to be relayed or handled now: 0 when nothing is due.
    ///
    /// # Errors
    /// What the database says.
    pub async fn busy(&self) -> Result<u64, DbError> {
        let mut busy = 0;
        for queue in self.0.queues.all() {
            busy += outbox::count_unrelayed(&queue).await?;
            busy += queue.busy().await?;
        }
        Ok(busy)
    }

    /// The queues below.
    #[must_use]
    pub fn queues(&self) -> &Arc<Queues> {
        &self.0.queues
    }
}

impl EventLanes {
    /// Leases nothing new.
    pub(crate) fn stop_leasing(&mut self) {
        lock(&self.hub.0.local).retain(|local| local.instance != self.instance);
        self.receiving.clear();
        self.lanes.iter().for_each(Lane::stop_leasing);
    }

    /// Waits for what runs, then hands over. `false` when something was cut.
    pub(crate) async fn drain(mut self, time: Duration) -> bool {
        self.stop_leasing();
        let ends = self.lanes.drain(..).map(|lane| lane.drain(time)).collect::<Vec<_>>();
        futures_util::future::join_all(ends).await.into_iter().all(|clean| clean)
    }
}

/// Keeps what a broker brings.
struct Receiver {
    queues: Arc<Queues>,
    wanted: Wanted,
}

impl Intake for Receiver {
    fn take<'a>(&'a self, to: &'a Address, envelope: Vec<u8>) -> TransportFuture<'a, Taken> {
        Box::pin(async move {
            let event = match Sealed::open(envelope) {
                Ok(event) => event,
                Err(error) => {
                    tracing::warn!(module.id = to.module, subscription = to.subscription, error = %error, "the broker brought something that is no event; it is put aside");
                    return Taken::Undecodable;
                }
            };
            let item = relay::delivery(&event, &to.subscription, self.wanted.is_ordered, self.wanted.max_attempts, "");
            let kept = async {
                let queue = self.queues.of(&to.module).await?;
                queue.put(On::Pool, Kind::EVENT, &[item]).await?;
                relay::hit("events.receive.written").await
            };
            match kept.await {
                Ok(()) => Taken::Kept,
                Err(error) => {
                    tracing::debug!(module.id = to.module, error = %error, "an event could not be kept; the broker brings it again");
                    Taken::Later
                }
            }
        })
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Inner {
    fn drop(&mut self) {
        lock(&self.relays).values().for_each(AbortHandle::abort);
    }
}

impl std::fmt::Debug for EventHub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EventHub")
            .field("settings", &self.0.settings)
            .finish_non_exhaustive()
    }
}
