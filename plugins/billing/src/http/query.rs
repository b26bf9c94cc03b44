//! Queries of lists.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::domain::invoice::State;
use crate::error::{Error, Result};
use crate::invoices::Wanted;
use crate::page::{LARGEST, Page};
use crate::views::InvoiceState;

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Pages {
    /// Rows on a page; without it 50.
    #[param(minimum = 1, maximum = 200)]
    page_size: Option<u32>,
    /// `next_page_token` of the page before.
    #[param(pattern = "^([0-9a-fA-F-]{36})?$")]
    page_token: Option<String>,
}

/// Which subscriptions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct SubscriptionQuery {
    /// Only of this customer.
    #[param(format = "uuid")]
    pub(super) customer: Option<String>,
    /// Rows on a page; without it 50.
    #[param(minimum = 1, maximum = 200)]
    page_size: Option<u32>,
    /// `next_page_token` of the page before.
    #[param(pattern = "^([0-9a-fA-F-]{36})?$")]
    page_token: Option<String>,
}

/// Which invoices.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct InvoiceQuery {
    /// Only of this customer.
    #[param(format = "uuid")]
    customer: Option<String>,
    /// Only of this subscription.
    #[param(format = "uuid")]
    subscription: Option<String>,
    /// Only in this state.
    #[param(inline)]
    state: Option<InvoiceState>,
    /// Rows on a page; without it 50.
    #[param(minimum = 1, maximum = 200)]
    page_size: Option<u32>,
    /// `next_page_token` of the page before.
    #[param(pattern = "^([0-9a-fA-F-]{36})?$")]
    page_token: Option<String>,
}

/// Which entries of the ledger.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EntryQuery {
    /// Only of this invoice.
    #[param(format = "uuid")]
    pub(super) invoice: Option<String>,
    /// Rows on a page; without it 50.
    #[param(minimum = 1, maximum = 200)]
    page_size: Option<u32>,
    /// `next_page_token` of the page before.
    #[param(pattern = "^([0-9a-fA-F-]{36})?$")]
    page_token: Option<String>,
}

impl Pages {
    pub(super) fn page(&self) -> Result<Page> {
        page(self.page_size, self.page_token.as_deref())
    }
}

impl SubscriptionQuery {
    pub(super) fn page(&self) -> Result<Page> {
        page(self.page_size, self.page_token.as_deref())
    }
}

impl InvoiceQuery {
    pub(super) fn page(&self) -> Result<Page> {
        page(self.page_size, self.page_token.as_deref())
    }

    pub(super) fn wanted(self) -> Wanted {
        let state = self.state.map(|state| match state {
            InvoiceState::Draft => State::Draft,
            InvoiceState::Open => State::Open,
            InvoiceState::Paid => State::Paid,
            InvoiceState::Void => State::Void,
            InvoiceState::Uncollectible => State::Uncollectible,
        });
        Wanted {
            customer: self.customer,
            subscription: self.subscription,
            state,
        }
    }
}

impl EntryQuery {
    pub(super) fn page(&self) -> Result<Page> {
        page(self.page_size, self.page_token.as_deref())
    }
}

fn page(size: Option<u32>, token: Option<&str>) -> Result<Page> {
    if size.is_some_and(|size| size == 0 || size > LARGEST) {
        return Err(Error::Invalid(format!(
            "found page_size {}, expected 1 to {LARGEST}",
            size.unwrap_or_default()
        )));
    }
    Page::of(size.unwrap_or_default(), token.unwrap_or_default())
}
