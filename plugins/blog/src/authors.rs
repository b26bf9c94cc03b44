//! What authors are called: asked of `identity`, kept for a while, and left out when it is away.

use std::collections::BTreeMap;
use std::time::Duration;

use wharf_proto::identity::v1::GetAccountRequest;
use wharf_proto::identity::v1::credentials_client::CredentialsClient;
use wharf_sdk::services::cache::{Cache, Load};
use wharf_sdk::{Context, Tenant, tracing};

use crate::config::CacheAges;

/// How long a post waits for a name.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long it is remembered that there is no name, or that nobody could say.
const WITHOUT: Duration = Duration::from_secs(15);

/// Names of accounts.
#[derive(Clone, Debug)]
pub(crate) struct Authors {
    ctx: Context,
    cache: Cache,
    load: Load,
}

impl Authors {
    pub(crate) fn new(ctx: &Context, cache: &Cache, ages: &CacheAges) -> Self {
        Self {
            ctx: ctx.clone(),
            cache: cache.clone(),
            load: Load {
                ttl: Duration::from_secs(u64::from(ages.author_seconds)),
                absent: Some(WITHOUT),
                ..Load::default()
            },
        }
    }

    /// The name of a subject such as `user:0197...`; none when there is none or nobody can say. Never fails and never waits long.
    pub(crate) async fn name(&self, tenant: &Tenant, subject: &str) -> Option<String> {
        let load = || async { Ok::<_, wharf_sdk::Error>(self.ask(tenant, subject).await) };
        let found = tenant.cache(&self.cache).get_or_load_with(&key(subject), &self.load, load).await;
        found.unwrap_or_else(|error| {
            tracing::debug!(%error, "the name of an author cannot be kept or read");
            None
        })
    }

    /// Names of several, each asked for once.
    pub(crate) async fn names<'a>(&self, tenant: &Tenant, subjects: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        let mut asked: Vec<&str> = subjects.collect();
        asked.sort_unstable();
        asked.dedup();
        for subject in asked {
            if let Some(name) = self.name(tenant, subject).await {
                names.insert(subject.to_owned(), name);
            }
        }
        names
    }

    /// The account has changed.
    pub(crate) async fn forget(&self, tenant: &Tenant, subject: &str) {
        if let Err(error) = tenant.cache(&self.cache).delete(&key(subject)).await {
            tracing::debug!(%error, "the name of an author stays cached until it is too old");
        }
    }

    async fn ask(&self, tenant: &Tenant, subject: &str) -> Option<String> {
        let id = subject.strip_prefix("user:").or_else(|| subject.strip_prefix("service:"))?;
        let channel = self.ctx.own().channel("identity").ok()?;
        let request = GetAccountRequest { id: id.to_owned() };
        let answer = tokio::time::timeout(PATIENCE, async { CredentialsClient::new(channel).get_account(request).await }).await;
        match answer {
            // Somebody of another tenant has no name here.
            Ok(Ok(account)) => {
                let account = account.into_inner();
                let is_ours = account.tenant == tenant.as_str() && !account.name.is_empty();
                is_ours.then_some(account.name)
            }
            Ok(Err(status)) => {
                tracing::debug!(code = ?status.code(), "identity does not say what an author is called");
                None
            }
            Err(_) => {
                tracing::debug!(
                    waited_ms = PATIENCE.as_millis(),
                    "identity takes too long to say what an author is called"
                );
                None
            }
        }
    }
}

fn key(subject: &str) -> String {
    format!("author:{subject}")
}
