//! Errors in the OpenAPI document.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

/// What went wrong (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody {
    /// `about:blank`, or the address of a problem of the host.
    #[schema(example = "about:blank")]
    r#type: String,
    /// The status in words.
    #[schema(example = "Not Found")]
    title: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// A sentence for people.
    detail: Option<String>,
    /// For programs; stable.
    #[schema(example = "not-found")]
    code: Option<String>,
    /// Id of the request, as in the log.
    request_id: Option<String>,
}

/// Sets of errors, each by what it is for.
macro_rules! sets {
    ($($(#[$doc:meta])* $name:ident: $($status:literal)*;)*) => {
        $(
            $(#[$doc])*
            pub(super) struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    problems(&[$($status),*])
                }
            }
        )*
    };
}

sets! {
    /// Of a list that everyone may see.
    OfList: 400 422 503;
    /// Of one thing that everyone may see.
    OfRead: 400 404 422 503;
    /// Of a list for those who are known.
    OfOwnList: 400 401 403 422 503;
    /// Of one thing for those who may see it.
    OfOwnRead: 400 401 403 404 422 503;
    /// Of something new.
    OfCreate: 400 401 403 404 409 413 415 422 503;
    /// Of a change that says what it is based on, with a body.
    OfChange: 400 401 403 404 409 412 413 415 422 428 503;
    /// Of a change that says what it is based on, without a body.
    OfAct: 400 401 403 404 409 412 428 503;
    /// Of a change that is right whenever it comes.
    OfDecide: 400 401 403 404 503;
    /// Of an upload.
    OfUpload: 400 401 403 413 415 503;
    /// Of a part of something.
    OfPart: 400 404 416 503;
}

fn problems(statuses: &[u16]) -> BTreeMap<String, RefOr<Response>> {
    let content = || ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    statuses
        .iter()
        .map(|status| {
            let response = ResponseBuilder::new()
                .description(meaning(*status))
                .content("application/problem+json", content())
                .build();
            (status.to_string(), RefOr::T(response))
        })
        .collect()
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "The request makes no sense",
        401 => "Nobody knows who is calling",
        403 => "Not for this caller",
        404 => "There is no such thing, or the caller may not know of it",
        409 => "The state of things does not allow it",
        412 => "Somebody else changed it meanwhile: read it again and decide anew",
        413 => "Too many bytes",
        415 => "Another media type than those that are taken",
        416 => "There is no such part",
        422 => "Well formed, and not acceptable",
        428 => "If-Match is missing",
        503 => "Something that is needed is away: try again later",
        _ => "It does not work",
    }
}
