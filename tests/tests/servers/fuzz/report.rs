//! What schemathesis reports: one event a line, of which those that end a scenario hold its requests, answers and findings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// Longest part of an answer that is shown.
const SHOWN: usize = 600;

/// A whole run.
#[derive(Default)]
pub(super) struct Report {
    /// How many requests were answered, those of methods that are not served too.
    pub(super) requests: usize,
    /// How many answers of each status there were, by operation.
    pub(super) statuses: BTreeMap<String, BTreeMap<u64, usize>>,
    /// What a check found, once for each operation and kind; with one request that shows it.
    pub(super) findings: BTreeMap<String, String>,
    /// What the fuzzer could not do.
    pub(super) errors: BTreeSet<String>,
    /// Why it ended.
    pub(super) ended: String,
}

impl Report {
    pub(super) fn read(file: &Path) -> Self {
        let mut report = Self::default();
        let lines = BufReader::new(File::open(file).unwrap_or_else(|error| panic!("schemathesis wrote no report: {error}"))).lines();
        for line in lines {
            let event: Value = serde_json::from_str(&line.expect("a line")).expect("every line is JSON");
            report.take(&event);
        }
        report
    }

    fn take(&mut self, event: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let scenario = &event["ScenarioFinished"];
        for (id, interaction) in scenario["recorder"]["interactions"].as_object().into_iter().flatten() {
            let label = text(&scenario["recorder"]["label"]);
            let Some(status) = interaction["response"]["status_code"].as_u64() else {
                self.errors
                    .insert(format!("{label}: no answer to {}", interaction["request"]["uri"]));
                continue;
            };
            self.requests += 1;
            // Some are of methods that the operation is not.
            if interaction["request"]["method"].as_str() == label.split(' ').next() {
                *self.statuses.entry(label.clone()).or_default().entry(status).or_default() += 1;
            }
            for check in scenario["recorder"]["checks"][id].as_array().into_iter().flatten() {
                let failure = &check["failure_info"]["failure"];
                if check["status"] == "success" {
                    continue;
                }
                let what = format!("{label}: {}: {}", text(&check["name"]), text(&failure["title"]));
                self.findings.entry(what).or_insert_with(|| example(failure, interaction));
            }
        }
        let error = &event["NonFatalError"];
        if error.is_object() {
            self.errors.insert(format!("{}: {}", text(&error["label"]), error["value"]));
        }
        if event["FatalError"].is_object() {
            self.errors.insert(event["FatalError"].to_string());
        }
        if event["EngineFinished"].is_object() {
            self.ended = text(&event["EngineFinished"]["stop_reason"]);
        }
    }

    /// Whether an operation has succeeded.
    pub(super) fn has_succeeded(&self, operation: &str) -> bool {
        self.statuses
            .get(operation)
            .is_some_and(|statuses| statuses.keys().any(|status| (200..300).contains(status)))
    }

    /// Findings and errors, to be read.
    pub(super) fn wrong(&self) -> String {
        let mut wrong = String::new();
        for (what, example) in &self.findings {
            let _ = writeln!(wrong, "{what}\n{example}");
        }
        for error in &self.errors {
            let _ = writeln!(wrong, "{error}");
        }
        wrong
    }
}

fn example(failure: &Value, interaction: &Value) -> String {
    let (request, response) = (&interaction["request"], &interaction["response"]);
    let shown = |value: &Value| value.to_string().chars().take(SHOWN).collect::<String>();
    let mut fields = request["headers"].clone();
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("Authorization");
    }
    format!(
        "    {}\n    {} {} {} {}\n    {} {}\n",
        failure["message"].as_str().unwrap_or_default().replace('\n', "\n    "),
        request["method"].as_str().unwrap_or_default(),
        request["uri"].as_str().unwrap_or_default(),
        shown(&fields),
        shown(&bytes(&request["body"])),
        response["status_code"],
        shown(&bytes(&response["content"])),
    )
}

/// The report has bodies in base64; most are text.
fn bytes(body: &Value) -> Value {
    let decoded = body["$base64"].as_str().and_then(|encoded| STANDARD.decode(encoded).ok());
    decoded.map_or_else(|| body.clone(), |bytes| String::from_utf8_lossy(&bytes).into_owned().into())
}
