//! Webhooks: what a provider says later, signed, and taken once.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait as _, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, TransactionTrait};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use wharf_sdk::Tenant;
use wharf_sdk::services::database::Tx;

use crate::Billing;
use crate::domain::signature::{self, SignatureError};
use crate::error::{Error, Result};
use crate::provider::Outcome;
use crate::runs::tenant_of;
use crate::tables::{payment, refund, webhook_receipt};
use crate::text;

/// The header field with the signature.
pub(crate) const SIGNATURE: &str = "webhook-signature";
/// The secret of the signature.
const KEY: &str = "webhook-key";

/// What a provider says. Fields that are not known are left alone.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(crate) struct WebhookEvent {
    /// What the provider calls this event: the same twice is one.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,64}$", example = "evt_1")]
    pub(crate) id: String,
    /// What happened. Other kinds are taken and change nothing.
    #[serde(rename = "type")]
    #[schema(example = "payment.succeeded", max_length = 64)]
    pub(crate) kind: String,
    /// Our id of the payment or refund: the key that we asked with.
    #[schema(format = "uuid")]
    pub(crate) key: String,
    /// What the provider calls it.
    #[schema(min_length = 1, max_length = 200)]
    #[serde(default)]
    pub(crate) reference: Option<String>,
    /// Why it failed.
    #[schema(pattern = "^[A-Za-z0-9._:-]{1,64}$")]
    #[serde(default)]
    pub(crate) failure: Option<String>,
}

/// What came of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct WebhookReceipt {
    /// Whether the event was taken before.
    pub(crate) duplicate: bool,
    /// Whether it changed anything.
    pub(crate) applied: bool,
}

/// What an event is about.
enum About {
    Payment(payment::Model),
    Refund(refund::Model),
}

impl Billing {
    /// Takes an event of a provider whose signature counts.
    pub(crate) async fn take_webhook(&self, provider: &str, signature: Option<&str>, body: &[u8]) -> Result<WebhookReceipt> {
        let provider = self.provider.as_ref().map(|known| known.name()).filter(|name| *name == provider);
        let provider = provider.ok_or(Error::NotFound("payment provider"))?;
        let signed = self.verify(signature, body).await?;
        let event: WebhookEvent =
            serde_json::from_slice(body).map_err(|error| Error::Invalid(format!("the event cannot be read: {error}")))?;
        text::key(&event.id, "id")?;
        event
            .reference
            .as_deref()
            .map(|reference| text::name(reference, "reference"))
            .transpose()?;
        event.failure.as_deref().map(|failure| text::key(failure, "failure")).transpose()?;
        let about = self.about(&event).await?;
        let tenant = tenant_of(about.tenant())?;
        let tx = self.db.begin().await?;
        if let Some(before) = self.receive(&tx, &tenant, provider, &event, signed).await? {
            return match before.signed == signed {
                true => Err(Error::webhook(
                    "webhook-replayed",
                    "this very request was taken before: sign an event anew to send it again",
                )),
                false => Ok(WebhookReceipt {
                    duplicate: true,
                    applied: false,
                }),
            };
        }
        let applied = self.apply(&tx, &tenant, &about, &event).await?;
        tx.commit().await?;
        Ok(WebhookReceipt { duplicate: false, applied })
    }

    /// Gives the time that was signed.
    async fn verify(&self, signature: Option<&str>, body: &[u8]) -> Result<i64> {
        let off = || {
            Error::webhook(
                "webhooks-off",
                "webhooks are refused: the secret webhook-key of the module billing is not set",
            )
        };
        let key = self.secrets.find(KEY).await?.ok_or_else(off)?;
        let now = text::now().div_euclid(1000);
        signature::verify(signature.unwrap_or_default(), key.reveal(), body, now).map_err(|error| {
            let code = match error {
                SignatureError::Malformed => "webhook-unsigned",
                SignatureError::Wrong => "webhook-signature",
                SignatureError::Stale => "webhook-stale",
            };
            Error::webhook(code, error.to_string())
        })
    }

    /// What our key stands for. A provider knows no tenants: the row says whose it is.
    async fn about(&self, event: &WebhookEvent) -> Result<About> {
        let not_there = || Error::NotFound("payment or refund");
        let id = text::id(&event.key).ok_or_else(not_there)?;
        if let Some(row) = payment::Entity::find_by_id(id.clone()).one(&self.db).await? {
            return Ok(About::Payment(row));
        }
        let refund = refund::Entity::find_by_id(id).one(&self.db).await?;
        refund.map(About::Refund).ok_or_else(not_there)
    }

    /// Notes an event; gives the note of before when there is one.
    async fn receive(
        &self,
        tx: &Tx,
        tenant: &Tenant,
        provider: &str,
        event: &WebhookEvent,
        signed: i64,
    ) -> Result<Option<webhook_receipt::Model>> {
        let row = webhook_receipt::Model {
            tenant: tenant.to_string(),
            provider: provider.to_owned(),
            event: event.id.clone(),
            signed,
            kind: event.kind.chars().filter(|c| !c.is_control()).take(64).collect(),
            received: text::now(),
        };
        let known = [webhook_receipt::Column::Provider, webhook_receipt::Column::Event];
        let inserted = webhook_receipt::Entity::insert(tenant.stamp(row.into_active_model().reset_all()))
            .on_conflict(OnConflict::columns(known).do_nothing().to_owned())
            .exec_without_returning(tx)
            .await?;
        if inserted > 0 {
            return Ok(None);
        }
        // Ids of events are the provider's, so one is looked for in all tenants.
        let before = webhook_receipt::Entity::find()
            .filter(webhook_receipt::Column::Provider.eq(provider))
            .filter(webhook_receipt::Column::Event.eq(&event.id));
        Ok(before.one(tx).await?)
    }

    async fn apply(&self, tx: &Tx, tenant: &Tenant, about: &About, event: &WebhookEvent) -> Result<bool> {
        let Some((what, how)) = event.kind.split_once('.') else {
            return Ok(false);
        };
        let reference = || event.reference.clone().unwrap_or_else(|| event.key.clone());
        let outcome = match how {
            "succeeded" => Outcome::Succeeded { reference: reference() },
            "failed" => Outcome::Failed {
                failure: event.failure.clone().unwrap_or_else(|| "unknown".to_owned()),
            },
            _ => return Ok(false),
        };
        match (what, about) {
            ("payment", About::Payment(row)) => self.settle_payment(tx, tenant, row, &outcome).await,
            ("refund", About::Refund(row)) => self.settle_refund(tx, tenant, row, &outcome).await,
            _ => Ok(false),
        }
    }
}

impl About {
    fn tenant(&self) -> &str {
        match self {
            Self::Payment(row) => &row.tenant,
            Self::Refund(row) => &row.tenant,
        }
    }
}
