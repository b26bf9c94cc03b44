//! What may grow, and what happens when something else changed: real libraries, in both directions.

use wharf_plugin_api::abi_stable::std_types::RSlice;
use wharf_plugin_api::module::export;
use wharf_plugin_api::services::metrics::{MetricKind, MetricsRef};
use wharf_plugin_api::{FaultCode, services};

use crate::fixture::{Fixture, changed, same};
use crate::rig::{create_alone, module_of, open_alone};

/// What the module says it was given.
async fn report(fixture: &Fixture) -> Vec<String> {
    let image = open_alone(&fixture.library, &fixture.manifest).unwrap();
    let instance = create_alone(&image, "{}").await.unwrap();
    instance.start().await.unwrap();
    let health = instance.health().await.unwrap();
    health.detail.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_module_of_the_same_build_gets_every_service_it_declares() {
    assert_eq!(report(same()).await, ["metrics@1: given", "errors@1: given", "health@1: given"]);
}

#[tokio::test]
async fn a_service_that_grew_at_its_end_serves_whoever_was_built_before() {
    let fixture = changed();
    let module = module_of(&open_alone(&fixture.library, &fixture.manifest).unwrap()).await;
    // The library's table has a method more than ours. We ask, so ours is the interface.
    let metrics = export::<MetricsRef>(&module).unwrap().expect("the fixture gives one");
    let series = metrics.series(MetricKind::COUNTER, "four".into(), "".into(), RSlice::EMPTY);
    assert_eq!(series.into_result().unwrap(), 4);
    metrics.update(4, 1.0);
    drop(metrics.clone());
}

#[tokio::test]
async fn a_module_built_against_a_longer_service_loads_and_is_refused_that_service_in_one_line() {
    let report = report(changed()).await;
    let metrics = &report[0];
    assert!(metrics.starts_with("metrics@1: layout: layout of Metrics"), "{metrics}");
    assert!(metrics.contains("expected 5 fields or methods at least, found 4"), "{metrics}");
    assert!(metrics.contains("wharf-plugin-api"), "{metrics}");
    assert!(metrics.len() < 600, "{} bytes: {metrics}", metrics.len());
}

#[tokio::test]
async fn a_struct_with_another_field_type_is_a_layout_fault_and_no_crash() {
    let report = report(changed()).await;
    let errors = &report[1];
    assert!(errors.starts_with("errors@1: layout: layout of Errors"), "{errors}");
    assert!(errors.contains("ErrorReport"), "it names the struct: {errors}");
}

#[tokio::test]
async fn another_major_of_a_service_is_unsupported_and_the_rest_is_given() {
    assert!(services::ALL.contains(&("health", 1)) && !services::ALL.contains(&("health", 9)));
    let report = report(changed()).await;
    assert_eq!(report[2], "health@9: unsupported: this host has no core service health@9");
}

#[tokio::test]
async fn an_export_that_changed_under_its_name_is_refused_and_no_crash() {
    let fixture = changed();
    let image = open_alone(&fixture.library, &fixture.manifest).unwrap();
    let Err(fault) = create_alone(&image, r#"{"do": "export-changed"}"#).await else {
        panic!("an export of another layout was taken")
    };
    assert_eq!(fault.code, FaultCode::LAYOUT, "{fault}");
    assert!(fault.message.contains("HttpExport"), "{fault}");
}

#[tokio::test]
async fn a_module_without_the_hosts_major_of_an_export_runs_without_it() {
    // The fixture has no `http` of major 1, as a module that has only a later one.
    let image = open_alone(&same().library, &same().manifest).unwrap();
    let instance = create_alone(&image, "{}").await.unwrap();
    instance.start().await.unwrap();
    assert!(instance.routes.is_empty());
}

#[tokio::test]
async fn a_newer_host_that_asks_for_a_later_major_is_told_that_there_is_none() {
    let module = module_of(&open_alone(&same().library, &same().manifest).unwrap()).await;
    let fault = module.export("http".into(), 2).into_result().unwrap_err();
    assert_eq!(fault.code, FaultCode::UNSUPPORTED);
}
