//! The OpenAPI document of a host: every operation is a route, and every route is an operation.

use std::collections::BTreeSet;

use serde_json::Value;
use wharf_tests::people;

#[test]
fn the_document_says_what_the_host_serves() {
    let server = people::host(&["greeter", "blog", "billing", "analytics"], "[http]\ndocs = true\n", &[]);
    let document: Value = server.get("/openapi.json").json();
    let said: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .keys()
                .map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let listed = server.wharf(&["routes", "--json"]);
    let routes: Value = serde_json::from_str(&listed.out).unwrap();
    let served: BTreeSet<String> = routes
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["method"] != "*" && row["hidden"] != true)
        .map(|row| {
            format!(
                "{} {}",
                row["method"].as_str().unwrap(),
                row["path"].as_str().unwrap().replace("{*", "{")
            )
        })
        .collect();
    assert!(served.len() > 100, "{}", listed.out);
    let unknown: Vec<_> = said.difference(&served).collect();
    assert!(unknown.is_empty(), "operations that are no routes: {unknown:?}");
    // What streams is gRPC only.
    let left_out: Vec<_> = served.difference(&said).filter(|route| !streams(route)).collect();
    assert!(left_out.is_empty(), "routes that are no operations: {left_out:?}");

    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let place = format!("{method} {path}");
            let ids = operation["operationId"].as_str().unwrap();
            assert!(ids.contains('.'), "{place}");
            for (status, answer) in operation["responses"].as_object().unwrap() {
                for (kind, content) in answer["content"].as_object().into_iter().flatten() {
                    assert!(content["schema"].is_object(), "{place}: {status} {kind} has no schema");
                }
            }
        }
    }
    references(&document, &document);
    assert_eq!(server.get("/docs").status, 308);
    assert!(server.get("/docs/").body.contains("swagger-ui"));
}

/// Methods of the libraries here that stream, by the names they have in their `.proto` files.
fn streams(route: &str) -> bool {
    const STREAMS: [&str; 9] = [
        "wharf.analytics.v1.Analytics/Export",
        "wharf.analytics.v1.Analytics/Record",
        "wharf.audit.v1.Records/Export",
        "wharf.billing.v1.Usage/Record",
        "wharf.blog.v1.Posts/Watch",
        "wharf.auth.v1.Keys/Watch",
        "wharf.auth.v1.Revocations/Watch",
        "wharf.authz.v1.Policy/Watch",
        "greeter.v1.Greeter/",
    ];
    STREAMS.iter().any(|method| route.contains(method))
}

/// Every reference leads somewhere.
fn references(value: &Value, document: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                let place = reference.strip_prefix('#').expect("references stay in the document");
                assert!(document.pointer(place).is_some(), "{reference} leads nowhere");
            }
            fields.values().for_each(|inner| references(inner, document));
        }
        Value::Array(items) => items.iter().for_each(|inner| references(inner, document)),
        _ => {}
    }
}
