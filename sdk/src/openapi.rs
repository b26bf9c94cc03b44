//! What a module says of its routes, as an OpenAPI 3.1 document.

use serde::Serialize;
use serde_json::Value;

/// The document of a module; the host merges those of all modules and serves them with a page to read them.
///
/// Write it with [utoipa](https://docs.rs/utoipa/5): `#[utoipa::path(..)]` at handlers, and
///
/// ```ignore
/// #[derive(utoipa::OpenApi)]
/// #[openapi(paths(http::list, http::create))]
/// struct Document;
///
/// fn openapi() -> OpenApi {
///     OpenApi::of(&Document::openapi())
/// }
/// ```
///
/// Paths are those of [`Routes`](crate::Routes), relative to the prefix. The host adds the prefix, who may call, and the answers
/// it gives itself. `export_module!` writes a test that holds the document against the routes.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct OpenApi(Option<Value>);

impl OpenApi {
    /// Nothing is said: the host lists the routes without bodies.
    pub fn none() -> Self {
        Self::default()
    }

    /// A document, as utoipa or anything else makes it.
    pub fn of(document: &impl Serialize) -> Self {
        Self(serde_json::to_value(document).ok())
    }

    pub(crate) fn into_document(self) -> Option<Value> {
        self.0
    }
}

/// Every operation of a document as `GET /posts/{id}`.
pub(crate) fn operations(document: &Value) -> Vec<String> {
    const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
    let paths = document.get("paths").and_then(Value::as_object);
    let mut found: Vec<String> = paths
        .into_iter()
        .flatten()
        .flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten().map(|(method, _)| method.as_str());
            methods
                .filter(|method| METHODS.contains(method))
                .map(|method| format!("{} {path}", method.to_uppercase()))
                .collect::<Vec<_>>()
        })
        .collect();
    found.sort();
    found
}
