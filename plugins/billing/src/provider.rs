//! The port to whoever takes the money, and its adapters.
//!
//! A provider is asked with a key of ours. Asked again with the same key it does nothing new and says how it stands: that is what lets
//! us ask again after a crash. An answer may come later, by webhook.

mod play;

use crate::config::ProviderName;
use crate::domain::money::Money;

pub(crate) use play::PlayMoney;

/// How it stands with what a provider was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The money has moved.
    Succeeded {
        /// What the provider calls it.
        reference: String,
    },
    /// It will say later.
    Pending {
        /// What the provider calls it.
        reference: String,
    },
    /// The money has not moved, and will not.
    Failed {
        /// A stable word for the reason, such as `card_declined`.
        failure: String,
    },
}

/// The provider gave no answer: nobody knows how it stands. Ask again with the same key.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the payment provider {provider} does not answer: {why}")]
pub(crate) struct NoAnswer {
    pub(crate) provider: &'static str,
    pub(crate) why: String,
}

/// Money to be taken.
#[derive(Clone, Copy)]
pub(crate) struct Charge<'a> {
    /// The same in every try.
    pub(crate) key: &'a str,
    pub(crate) amount: Money,
    /// What to charge, as the provider gave it to the customer. A secret.
    pub(crate) token: &'a str,
}

/// Money to be given back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GiveBack<'a> {
    /// The same in every try.
    pub(crate) key: &'a str,
    pub(crate) amount: Money,
    /// What the provider calls the payment.
    pub(crate) payment: &'a str,
}

/// Whoever takes the money.
#[tonic::async_trait]
pub(crate) trait PaymentProvider: Send + Sync + std::fmt::Debug {
    /// As in rows and in the path of its webhooks.
    fn name(&self) -> &'static str;

    /// Takes money.
    async fn charge(&self, charge: Charge<'_>) -> Result<Outcome, NoAnswer>;

    /// Gives money back.
    async fn give_back(&self, refund: GiveBack<'_>) -> Result<Outcome, NoAnswer>;
}

/// The provider of the configuration.
pub(crate) fn of(name: ProviderName) -> Option<std::sync::Arc<dyn PaymentProvider>> {
    match name {
        ProviderName::None => None,
        ProviderName::Test => Some(std::sync::Arc::new(PlayMoney)),
    }
}

/// A token is nobody's to read.
impl std::fmt::Debug for Charge<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Charge")
            .field("key", &self.key)
            .field("amount", &self.amount)
            .finish_non_exhaustive()
    }
}
