//! Stage 7: each way in which a module can fail to be made has a code of its own, and the host goes on.

use serde_json::json;
use wharf_testing::{StartError, TestHost};

use crate::fixture::same;

/// Code and sentence of the one finding when the fixture does this while it is made.
async fn finding(does: &str) -> (String, String) {
    let builder = TestHost::builder()
        .library(&same().library)
        .config("abi-fixture", json!({ "do": does }));
    let refused = builder.try_start().await.unwrap_err();
    let StartError::Findings(findings) = refused else {
        panic!("{refused}")
    };
    assert_eq!(findings.len(), 1, "{findings:?}");
    (findings[0].code.clone(), findings[0].what.clone())
}

#[tokio::test]
async fn a_module_that_panics_while_it_is_made_is_refused_and_the_host_goes_on() {
    let (code, what) = finding("panic").await;
    assert_eq!((code.as_str(), what.as_str()), ("create.panicked", "made to panic"));
}

#[tokio::test]
async fn a_module_that_says_it_cannot_run_is_refused_in_its_own_words() {
    let (code, what) = finding("fault").await;
    assert_eq!((code.as_str(), what.as_str()), ("create.failed", "made to fail"));
}

#[tokio::test]
async fn an_undeclared_import_is_refused_with_the_missing_line() {
    let (code, what) = finding("undeclared").await;
    assert_eq!(code, "create.undeclared");
    assert!(what.contains("add `log = 1` under [services] in wharf.toml"), "{what}");
}
