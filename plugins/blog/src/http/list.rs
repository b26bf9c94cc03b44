//! Which page of a list is asked for.

use serde::Deserialize;
use utoipa::IntoParams;
use wharf_sdk::Problem;

use crate::domain::page::LARGEST;

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PageQuery {
    /// Rows of a page; 20 when nothing is said.
    #[param(minimum = 1, maximum = 100)]
    pub(super) page_size: Option<u32>,
    /// `next_page_token` of the page before; the first page when nothing is said.
    pub(super) page_token: Option<String>,
}

/// Rows of a page; 0 is as many as usual.
pub(super) fn size(asked: Option<u32>) -> Result<u32, Problem> {
    match asked {
        None => Ok(0),
        Some(size) if (1..=LARGEST).contains(&size) => Ok(size),
        Some(size) => Err(Problem::bad_request(format!("found page_size {size}, expected 1 to {LARGEST}"))),
    }
}
