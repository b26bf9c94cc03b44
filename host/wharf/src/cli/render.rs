//! Tables and paragraphs for people. Every text that came from elsewhere is cleaned.

use comfy_table::{Table, presets};
use jiff::Timestamp;
use wharf_host::domain::finding::{Finding, Severity};
use wharf_host::domain::route::Policy;
use wharf_host::domain::status::ModuleStatus;
use wharf_host::modules::control::Plan;
use wharf_host::telemetry::clean;

/// A table without lines, its columns aligned.
pub(super) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(header.iter().copied());
    for row in rows {
        table.add_row(row.iter().map(|cell| clean(cell).into_owned()));
    }
    // Each cell has a space on its left; the first column needs none.
    let lines: Vec<String> = table
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// One row a module.
pub(super) fn modules(modules: &[ModuleStatus], now: Timestamp) -> String {
    if modules.is_empty() {
        return "no modules".to_owned();
    }
    let header = ["ID", "VERSION", "STATE", "HEALTH", "GEN", "CALLS", "ERRORS", "PREFIX", "FOR"];
    let mut text = table(&header, modules.iter().map(|m| module_row(m, now)));
    for module in modules {
        if let Some(why) = module.why_failed() {
            text.push_str(&format!("\n{}: {}", clean(&module.id), clean(why)));
        }
    }
    text
}

/// Everything about one module.
pub(super) fn module(m: &ModuleStatus, now: Timestamp) -> String {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let rows = [
        ("id", m.id.clone()),
        ("version", m.version.clone()),
        ("description", m.description.clone()),
        ("state", format!("{} for {}", word(m.state), age(m.since, now))),
        ("health", m.health.clone()),
        ("wanted", wanted(m)),
        ("linkage", word(m.linkage)),
        ("placement", m.placement.clone()),
        ("generation", m.generation.to_string()),
        ("instance", m.instance.to_string()),
        ("file", or_dash(&m.file)),
        ("sha256", or_dash(&m.hash)),
        ("prefix", or_dash(&m.prefix)),
        ("gRPC services", list(&m.grpc_services)),
        ("requires", list(&m.requires)),
        ("may, by itself", list(&m.asks)),
        ("degraded", list(&m.degraded)),
        (
            "calls",
            format!("{} ({} in flight, {} failed, {} panics)", m.calls, m.in_flight, m.errors, m.panics),
        ),
        (
            "memory",
            m.memory_bytes
                .map_or_else(|| "-".to_owned(), |bytes| format!("{} KiB", bytes / 1024)),
        ),
    ];
    let mut text = String::new();
    for (name, value) in rows {
        text.push_str(&format!("{name:<14} {}\n", clean(&value)));
    }
    for message in &m.messages {
        text.push_str(&format!(
            "{:.0}  {:<5} {}\n",
            message.at,
            clean(&message.level),
            clean(&message.text)
        ));
    }
    text
}

/// What would happen, then what is wrong.
pub(super) fn plan(plan: &Plan) -> String {
    let rows = plan.order.iter().map(|m| {
        let dash = || "-".to_owned();
        let reason = m.reason.clone().unwrap_or_default();
        vec![
            m.id.clone(),
            m.version.clone(),
            m.action.clone(),
            m.file.clone().unwrap_or_else(dash),
            reason,
        ]
    });
    let mut text = if plan.order.is_empty() {
        "no modules".to_owned()
    } else {
        table(&["ID", "VERSION", "ACTION", "FILE", "WHY"], rows)
    };
    for m in plan.order.iter().filter(|m| !m.asks.is_empty() && m.action != "refuse") {
        text.push_str(&format!("\n{} may, by itself: {}", clean(&m.id), clean(&list(&m.asks))));
    }
    if !plan.findings.is_empty() {
        text.push_str("\n\n");
        text.push_str(&findings(&plan.findings));
    }
    text
}

/// What holds, then what is wrong.
pub(super) fn checked(plan: &Plan) -> String {
    let sound = plan.order.iter().filter(|m| m.action != "refuse");
    let lines: String = sound.map(|m| format!("ok {} {}\n", clean(&m.id), clean(&m.version))).collect();
    format!("{lines}{}", findings(&plan.findings))
}

/// All findings and how many there are.
pub(super) fn findings(findings: &[Finding]) -> String {
    let errors = findings.iter().filter(|f| f.severity == Severity::Error).count();
    let mut text: String = findings.iter().map(|f| finding(f) + "\n").collect();
    let many = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let warnings = findings.len() - errors;
    text.push_str(&format!("{}, {}", many(errors, "error"), many(warnings, "warning")));
    text
}

/// One finding in three lines: what, why, how to mend.
pub(super) fn finding(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Warning => "warning",
        _ => "error",
    };
    let about = match (&finding.module, &finding.file) {
        (Some(module), _) => format!("{module}: "),
        (None, Some(file)) => format!("{}: ", file.display()),
        (None, None) => String::new(),
    };
    format!(
        "{severity}[{}] {}{}\n  why: {}\n  fix: {}",
        clean(&finding.code),
        clean(&about),
        clean(&finding.what),
        clean(&finding.why),
        clean(&finding.fix)
    )
}

/// A policy in a word or two.
pub(super) fn policy(policy: &Policy) -> String {
    match policy {
        Policy::Public => "public".to_owned(),
        Policy::Authenticated => "authenticated".to_owned(),
        Policy::Require(permission) => format!("require {permission}"),
    }
}

/// A value as it is named in JSON.
pub(super) fn word(value: impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => format!("{other:?}"),
    }
}

/// Text as a part of a query or path: ids and states need little of it.
pub(super) fn in_query(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn module_row(m: &ModuleStatus, now: Timestamp) -> Vec<String> {
    let mut state = word(m.state);
    if !m.degraded.is_empty() {
        state.push_str(" (degraded)");
    }
    let prefix = m.prefix.clone().unwrap_or_else(|| "-".to_owned());
    let (generation, calls, errors) = (m.generation.to_string(), m.calls.to_string(), m.errors.to_string());
    vec![
        m.id.clone(),
        m.version.clone(),
        state,
        m.health.clone(),
        generation,
        calls,
        errors,
        prefix,
        age(m.since, now),
    ]
}

/// What an operator wants of a module, in a line.
pub(super) fn wanted(m: &ModuleStatus) -> String {
    let enabled = match m.desired.enabled {
        Some(true) => "enabled",
        Some(false) => "disabled",
        None => "not decided",
    };
    let pins = [("version", &m.desired.pinned_version), ("hash", &m.desired.pinned_hash)];
    let pins = pins
        .iter()
        .filter_map(|(name, pin)| pin.as_ref().map(|pin| format!(", {name} pinned to {pin}")));
    format!("{enabled}{}", pins.collect::<String>())
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "-".to_owned() } else { items.join(", ") }
}

/// How long ago, in one unit.
fn age(then: Timestamp, now: Timestamp) -> String {
    let seconds = (now.as_second() - then.as_second()).max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use wharf_host::domain::finding::Stage;

    use super::*;

    #[test]
    fn columns_are_aligned_and_text_is_cleaned() {
        let text = table(
            &["A", "B"],
            [vec!["x".into(), "y".into()], vec!["long".into(), "\u{1b}[31m".into()]],
        );
        assert_eq!(text, "A     B\nx     y\nlong  \\u{1b}[31m");
        assert_eq!(table(&["", "B"], [vec!["x".into(), "y".into()]]), "   B\nx  y");
    }

    #[test]
    fn a_finding_has_three_lines() {
        let text = finding(&Finding {
            code: "inspect.truncated".into(),
            severity: Severity::Error,
            stage: Stage::Inspect,
            module: None,
            file: Some("a\nb.so".into()),
            what: "found 3 bytes".into(),
            why: "it would kill the process".into(),
            fix: "copy it again".into(),
        });
        assert_eq!(
            text,
            "error[inspect.truncated] a\\nb.so: found 3 bytes\n  why: it would kill the process\n  fix: copy it again"
        );
    }

    #[test]
    fn ages_have_one_unit() {
        let now: Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
        let ago = |seconds: i64| age(Timestamp::from_second(now.as_second() - seconds).unwrap(), now);
        assert_eq!(
            [ago(5), ago(600), ago(10_000), ago(300_000), ago(-5)],
            ["5s", "10m", "2h", "3d", "0s"]
        );
    }
}
