//! From messages of the core modules to what the host goes by.

use prost_types::Timestamp;
use tonic::{Status, Streaming};
use wharf_proto::auth::v1::keys_client::KeysClient;
use wharf_proto::auth::v1::revocation::What;
use wharf_proto::auth::v1::revocations_client::RevocationsClient;
use wharf_proto::auth::v1::{self as auth, KeySet, RevocationsUpdate, WatchKeysRequest, WatchRevocationsRequest};
use wharf_proto::authz::v1::policy_client::PolicyClient;
use wharf_proto::authz::v1::{PolicyUpdate, WatchPolicyRequest};

use super::follow::Watch;
use super::{MeshClient, Sources};
use crate::security::authenticate::{KeyRing, PublishedKey, Revocation};
use crate::security::freshness::Source;

/// Longest message: snapshots of large installations.
const LARGEST: usize = 256 * 1024 * 1024;

pub(super) struct KeysWatch(pub(super) Sources);
pub(super) struct RevocationsWatch(pub(super) Sources);
pub(super) struct PolicyWatch(pub(super) Sources);

impl Watch for KeysWatch {
    type Message = KeySet;
    const SOURCE: Source = Source::Keys;
    const PATH: &'static str = "/wharf.auth.v1.Keys/Watch";

    async fn open(&self, client: MeshClient) -> Result<Streaming<KeySet>, Status> {
        let answer = KeysClient::new(client).watch(WatchKeysRequest {}).await?;
        Ok(answer.into_inner())
    }

    fn take(&self, set: KeySet) -> Result<(), String> {
        let published = set.keys.into_iter().map(|key| PublishedKey {
            id: key.id,
            algorithm: key.algorithm,
            jwk: key.jwk,
        });
        let published: Vec<_> = published.collect();
        let keys = KeyRing::new(&set.issuer, &set.audience, &published).map_err(|error| error.to_string())?;
        self.0.authenticator.set_keys(keys);
        Ok(())
    }
}

impl Watch for RevocationsWatch {
    type Message = RevocationsUpdate;
    const SOURCE: Source = Source::Revocations;
    const PATH: &'static str = "/wharf.auth.v1.Revocations/Watch";

    async fn open(&self, client: MeshClient) -> Result<Streaming<RevocationsUpdate>, Status> {
        let mut client = RevocationsClient::new(client).max_decoding_message_size(LARGEST);
        Ok(client.watch(WatchRevocationsRequest {}).await?.into_inner())
    }

    fn take(&self, update: RevocationsUpdate) -> Result<(), String> {
        let revocations = update.revocations.into_iter().filter_map(revocation);
        self.0.authenticator.revoke(update.snapshot, revocations);
        Ok(())
    }
}

impl Watch for PolicyWatch {
    type Message = PolicyUpdate;
    const SOURCE: Source = Source::Policy;
    const PATH: &'static str = "/wharf.authz.v1.Policy/Watch";

    async fn open(&self, client: MeshClient) -> Result<Streaming<PolicyUpdate>, Status> {
        let mut client = PolicyClient::new(client).max_decoding_message_size(LARGEST);
        Ok(client.watch(WatchPolicyRequest {}).await?.into_inner())
    }

    fn take(&self, update: PolicyUpdate) -> Result<(), String> {
        self.0.rules.apply(update).map(drop).map_err(|error| error.to_string())
    }
}

fn revocation(message: auth::Revocation) -> Option<Revocation> {
    let forget = message.forget.map(|at| at.seconds);
    let until = |id: &str| Revocation::until(id, forget);
    Some(match message.what? {
        What::Session(id) => Revocation::Session(until(&id)),
        What::Token(id) => Revocation::Token(until(&id)),
        What::ApiKey(id) => Revocation::ApiKey(until(&id)),
        What::Subject(subject) => Revocation::Subject(until(&subject), message.before.map_or(i64::MAX, millis)),
    })
}

fn millis(at: Timestamp) -> i64 {
    // Rounded up: of a millisecond that has begun, all counts as before.
    let begun = (i64::from(at.nanos) + 999_999) / 1_000_000;
    at.seconds.saturating_mul(1000).saturating_add(begun)
}
