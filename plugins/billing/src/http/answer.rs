//! What handlers answer: views, lists, and problems.

use std::collections::BTreeMap;

use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};
use wharf_sdk::extract::Json;

use crate::error::Error;
use crate::page::List;
use crate::views::View;

/// What a handler returns. The SDK makes an internal error of any error that is not a `Problem`; this one keeps what ours say.
pub(super) type Answer<T> = Result<T, Failed>;

/// Something that was not done.
pub(super) struct Failed(Error);

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct ListOf<T: ToSchema> {
    /// Oldest first.
    pub(super) items: Vec<T>,
    /// For the next page; empty: there is none.
    pub(super) next_page_token: String,
    /// Rows on all pages.
    #[schema(minimum = 0)]
    pub(super) total: u64,
}

/// A problem, as RFC 9457 says: `application/problem+json`.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "the schema of what the SDK and the host write")]
pub(super) struct ProblemBody {
    r#type: String,
    title: String,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// A sentence for people.
    detail: String,
    /// Stable, for programs; what the host answers itself has none.
    code: Option<String>,
    /// Of this request, as in the log.
    request_id: Option<String>,
}

/// What reading may answer instead.
pub(super) struct Reading;

/// What writing may answer instead.
pub(super) struct Writing;

/// The header fields of an answer with an address.
pub(super) type Located = [(HeaderName, String); 1];

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        self.0.problem().into_response()
    }
}

/// A row, as callers see it.
pub(super) fn shown<V: View<Row>, Row>(row: Row) -> Answer<Json<V>> {
    Ok(Json(V::of(row)?))
}

/// Something new, with its address.
pub(super) fn made<V: View<Row>, Row>(status: StatusCode, address: String, row: Row) -> Answer<(StatusCode, Located, Json<V>)> {
    Ok((status, [(header::LOCATION, address)], Json(V::of(row)?)))
}

/// A page of rows.
pub(super) fn listed<V: View<Row> + ToSchema, Row>(list: List<Row>) -> Answer<Json<ListOf<V>>> {
    let items = list.items.into_iter().map(V::of).collect::<Result<_, Error>>()?;
    Ok(Json(ListOf {
        items,
        next_page_token: list.next_page_token,
        total: list.total,
    }))
}

impl IntoResponses for Reading {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        problems(&[
            ("400", "the query cannot be read"),
            ("401", "nobody knows who is calling"),
            ("403", "not for this caller"),
            ("404", "there is no such thing, or the caller may not know of it"),
            ("422", "what was asked for makes no sense"),
            ("429", "too many requests"),
            ("503", "something this needs is away; try again later"),
        ])
    }
}

impl IntoResponses for Writing {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let mut all = Reading::responses();
        all.extend(problems(&[
            ("400", "the body cannot be read, or a header field is missing"),
            ("409", "the state of things does not allow it"),
            ("413", "the body is too long"),
            ("415", "the body is not application/json"),
        ]));
        all
    }
}

fn problems(of: &[(&str, &str)]) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    let schema = || Ref::from_schema_name("ProblemBody");
    let problem = |text: &str| {
        let content = ContentBuilder::new().schema(Some(schema())).build();
        ResponseBuilder::new()
            .description(text)
            .content("application/problem+json", content)
            .build()
    };
    of.iter()
        .map(|(status, text)| ((*status).to_owned(), problem(text).into()))
        .collect()
}
