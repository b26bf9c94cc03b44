//! What was measured, as a table for people or as JSON for programs.

use std::process::{Command, Stdio};

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

/// Rows as they come.
pub(crate) struct Report {
    json: bool,
    rows: Vec<Value>,
}

/// Least, middle and greatest of some values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) least: f64,
    pub(crate) middle: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of any values, in any order.
    pub(crate) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = (values.len().saturating_sub(1) as f64 * part).round() as usize;
            values.get(place).copied().unwrap_or(f64::NAN)
        };
        // The outermost tenths are left out: they tell of the machine.
        Self {
            least: at(0.1),
            middle: at(0.5),
            most: at(0.9),
        }
    }
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, rows: Vec::new() }
    }

    /// Begins a table, with the command that makes it.
    pub(crate) fn section(&mut self, title: &str, command: &str) {
        if !self.json {
            println!("\n{title}\n  $ {command}");
        }
        self.rows.push(json!({ "section": title, "command": command }));
    }

    /// One figure; `bar` is the most it may be.
    pub(crate) fn figure(&mut self, name: &str, value: f64, unit: &str, bar: Option<f64>, note: &str) {
        if !self.json {
            let verdict = match bar {
                Some(bar) if value <= bar => format!("  (bar {bar}: held)"),
                Some(bar) => format!("  (bar {bar}: MISSED by {:.1})", value - bar),
                None => String::new(),
            };
            let note = if note.is_empty() { String::new() } else { format!("  {note}") };
            println!("  {name:<52} {value:>12.1} {unit}{verdict}{note}");
        }
        self.rows
            .push(json!({ "name": name, "value": value, "unit": unit, "bar": bar, "note": note }));
    }

    /// A sentence about what could not be measured, and why.
    pub(crate) fn hole(&mut self, why: &str) {
        if !self.json {
            println!("  not measured: {why}");
        }
        self.rows.push(json!({ "not_measured": why }));
    }

    /// Runs one part in a process of its own, and takes its rows over.
    pub(crate) fn part(&mut self, name: &str) -> Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(name);
        if !self.json {
            let status = command.status()?;
            return if status.success() {
                Ok(())
            } else {
                Err(anyhow!("wharf-bench {name} ended with {status}"))
            };
        }
        let output = command.arg("--json").stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(anyhow!("wharf-bench {name} ended with {}", output.status));
        }
        let rows: Vec<Value> = serde_json::from_slice(&output.stdout)?;
        self.rows.extend(rows);
        Ok(())
    }

    /// Prints the JSON, if that was asked for.
    pub(crate) fn finish(self) -> Result<()> {
        if self.json {
            println!("{}", serde_json::to_string_pretty(&self.rows)?);
        }
        Ok(())
    }
}
