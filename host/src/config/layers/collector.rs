//! Rules about traces that no type holds.

use super::Config;

/// Path, what is wrong, how to mend it.
pub(super) fn problems(config: &Config) -> Vec<(String, String, &'static str)> {
    let tracing = &config.tracing;
    let mut found = Vec::new();
    let mut problem = |path: &str, what: String, hint| found.push((format!("tracing.{path}"), what, hint));
    if !(0.0..=1.0).contains(&tracing.sample) {
        let what = format!("found {}, expected a share from 0 to 1", tracing.sample);
        problem("sample", what, "0.1 records every tenth trace");
    }
    if let Err(what) = tracing.otlp.header_fields() {
        problem("otlp.headers", what, "write name=value, separated by commas");
    }
    for (path, number) in [("otlp.batch", tracing.otlp.batch), ("otlp.queue", tracing.otlp.queue)] {
        if number == 0 {
            problem(path, "found 0, expected at least 1".to_owned(), "leave it out for the default");
        }
    }
    for (path, time) in [("otlp.timeout", tracing.otlp.timeout), ("otlp.every", tracing.otlp.every)] {
        if time.get().is_zero() {
            problem(path, "found no time, expected more".to_owned(), "leave it out for the default");
        }
    }
    found
}
