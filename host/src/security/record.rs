//! What the host itself writes to the audit log: refused calls, and changes over the admin API.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;
use wharf_proto::audit::v1::audit_client::AuditClient;
use wharf_proto::audit::v1::{AppendRequest, Entry, Outcome};

use super::denials::{DenialLog, Denials};
use super::sources::MeshClient;
use crate::http::routes::Routes;
use crate::services::Channels;

/// How long the module may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often refused calls are looked at.
const EVERY: Duration = Duration::from_secs(5);
/// Entries in one call.
const AT_ONCE: usize = 200;
/// The method that is called.
const PATH: &str = "/wharf.audit.v1.Audit/Append";

/// Writes to the audit log, in the name of the host.
#[derive(Clone)]
pub struct Recorder {
    node: String,
    client: MeshClient,
    routes: Arc<Routes>,
    denials: Arc<DenialLog>,
}

/// Something that was done, as far as the host knows it.
#[derive(Clone, Debug, Default)]
pub struct Deed {
    /// `user:01J...`, or `host` for whoever may use the admin socket.
    pub actor: String,
    /// Tenant and session of the actor.
    pub tenant: String,
    /// Session of the actor.
    pub session: String,
    /// `wharf.admin.post`.
    pub action: String,
    /// `/admin/v1/modules/blog/enable`.
    pub object: String,
    /// Whether it was done, refused or failed.
    pub outcome: Outcome,
    /// Why not.
    pub reason: String,
    /// From where.
    pub from: String,
    /// Of the request.
    pub request_id: String,
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotRecorded {
    /// There is no audit log on this host.
    #[error("module audit does not run")]
    Absent,
    /// It did not take it.
    #[error("module audit does not take entries: {0}")]
    Refused(String),
}

impl Recorder {
    pub(crate) fn new(node: &str, channels: Arc<dyn Channels>, routes: Arc<Routes>) -> Self {
        Self {
            node: node.to_owned(),
            client: MeshClient::new(channels, "audit"),
            routes,
            denials: Arc::new(DenialLog::new()),
        }
    }

    /// Counts refused calls; they are written by [`Recorder::keep_writing`].
    #[must_use]
    pub fn denials(&self) -> Arc<DenialLog> {
        self.denials.clone()
    }

    /// Writes one entry, and waits until it is durable.
    ///
    /// # Errors
    /// [`NotRecorded`]
    pub async fn record(&self, deed: Deed) -> Result<(), NotRecorded> {
        let entry = Entry {
            at: Some(timestamp(Timestamp::now())),
            tenant: deed.tenant,
            actor: deed.actor,
            action: deed.action,
            object: deed.object,
            outcome: deed.outcome.into(),
            reason: deed.reason,
            from: deed.from,
            request_id: deed.request_id,
            session: deed.session,
            ..self.blank()
        };
        self.append(vec![entry]).await
    }

    /// Writes refused calls of minutes that are over, for ever.
    pub(crate) async fn keep_writing(self) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.write_denials(false).await;
        }
    }

    /// Writes refused calls: those of minutes that are over, or all. What cannot be written now is kept, up to a limit.
    pub async fn write_denials(&self, all: bool) {
        let mut taken = self.denials.take(Timestamp::now(), all);
        while !taken.is_empty() {
            let later = taken.split_off(taken.len().min(AT_ONCE));
            let entries = taken.iter().map(|denials| self.entry(denials)).collect();
            match self.append(entries).await {
                Ok(()) => {}
                // Where there is no audit log nobody waits for them.
                Err(NotRecorded::Absent) => return,
                Err(error) => {
                    tracing::warn!(error = %error, "refused calls cannot be recorded yet");
                    self.denials.put_back(taken);
                    self.denials.put_back(later);
                    return;
                }
            }
            taken = later;
        }
    }

    async fn append(&self, entries: Vec<Entry>) -> Result<(), NotRecorded> {
        if self.routes.load().grpc(PATH).is_none() {
            return Err(NotRecorded::Absent);
        }
        let mut request = tonic::Request::new(AppendRequest { entries });
        request.set_timeout(PATIENCE);
        let answer = AuditClient::new(self.client.clone()).append(request).await;
        answer.map(drop).map_err(|status| NotRecorded::Refused(status.message().to_owned()))
    }

    fn entry(&self, denials: &Denials) -> Entry {
        let (action, reason) = match denials.status {
            401 => ("wharf.call.unauthenticated", "nobody knows who called"),
            403 => ("wharf.call.forbidden", "the caller does not hold the permission of the route"),
            _ => ("wharf.call.limited", "more calls than the rate class allows"),
        };
        Entry {
            at: Some(prost_types::Timestamp {
                seconds: denials.minute,
                nanos: 0,
            }),
            tenant: denials.tenant.clone(),
            actor: denials.subject.clone(),
            action: action.to_owned(),
            object: denials.route.clone(),
            outcome: Outcome::Denied.into(),
            reason: reason.to_owned(),
            from: denials.address.map(|address| address.to_string()).unwrap_or_default(),
            request_id: denials.request_id.clone(),
            count: denials.count,
            session: denials.session.clone().unwrap_or_default(),
            ..self.blank()
        }
    }

    fn blank(&self) -> Entry {
        Entry {
            id: Uuid::now_v7().to_string(),
            recorder: "host".to_owned(),
            node: self.node.clone(),
            ..Entry::default()
        }
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("node", &self.node).finish_non_exhaustive()
    }
}

/// With its fraction: entries are listed by time, and those of the modules have theirs.
fn timestamp(at: Timestamp) -> prost_types::Timestamp {
    let nanoseconds = at.as_nanosecond();
    prost_types::Timestamp {
        seconds: i64::try_from(nanoseconds.div_euclid(1_000_000_000)).unwrap_or_default(),
        nanos: i32::try_from(nanoseconds.rem_euclid(1_000_000_000)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_keeps_its_fraction() {
        for (nanoseconds, seconds, nanos) in [(1_500_000_001, 1, 500_000_001), (2_000_000_000, 2, 0), (-1, -1, 999_999_999)] {
            let at = Timestamp::from_nanosecond(nanoseconds).unwrap_or_default();
            assert_eq!(timestamp(at), prost_types::Timestamp { seconds, nanos });
        }
    }
}
