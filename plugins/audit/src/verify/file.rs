//! Verifying an exported file, without a host.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Finding, Kind, Known, Report, Walk};
use crate::chain::{Checkpoint, Link};

/// Why a file cannot be verified at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A line is none of an export.
    #[error("line {line}: {what}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// It does not begin as an export does.
    #[error("found no header, expected a first line with \"format\":\"wharf-audit-1\"")]
    Header,
}

/// One line of an export.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Header(Header),
    Checkpoint { checkpoint: Checkpoint },
    Entry(Link),
}

#[derive(Deserialize)]
struct Header {
    format: String,
    /// Whether whole chains were exported, or entries of one tenant or time only.
    #[serde(default)]
    whole: bool,
    /// Where chains begin whose first entries were removed after their time.
    #[serde(default)]
    bases: BTreeMap<String, (u64, String)>,
}

/// Verifies the lines of an export. `kept` are checkpoints from elsewhere: with them a cut tail shows, and a chain that was
/// written anew. `key` is the public key that they must have, if it is known.
///
/// # Errors
/// When it is no export.
pub fn check_file(text: &str, kept: &[Checkpoint], key: Option<&str>) -> Result<Vec<Report>, FileError> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let header = match lines.next().map(|(_, line)| serde_json::from_str(line)) {
        Some(Ok(Line::Header(header))) if header.format == "wharf-audit-1" => header,
        _ => return Err(FileError::Header),
    };
    let mut chains: BTreeMap<String, Vec<Link>> = BTreeMap::new();
    let mut checkpoints = kept.to_vec();
    for (number, line) in lines {
        let failed = |what: String| FileError::Line { line: number + 1, what };
        match serde_json::from_str(line).map_err(|error| failed(error.to_string()))? {
            Line::Header(_) => return Err(failed("found a second header, expected an entry".to_owned())),
            Line::Checkpoint { checkpoint } => checkpoints.push(checkpoint),
            Line::Entry(link) => chains.entry(link.chain.clone()).or_default().push(link),
        }
    }
    if !header.whole {
        return Ok(chains.iter().map(|(chain, links)| each(chain, links)).collect());
    }
    for checkpoint in &checkpoints {
        // A chain of which not one entry is left.
        chains.entry(checkpoint.chain.clone()).or_default();
    }
    let reports = chains.iter().map(|(chain, links)| {
        let own = checkpoints.iter().filter(|checkpoint| checkpoint.chain == *chain);
        let known = Known {
            before: header.bases.get(chain).cloned(),
            head: Some(links.last().map_or(0, |link| link.seq)),
            checkpoints: own.cloned().collect(),
            key: key.map(str::to_owned),
            ..Known::default()
        };
        let mut walk = Walk::new(chain, known);
        for (place, link) in links.iter().enumerate() {
            if !walk.step(link, links.get(place + 1)) {
                break;
            }
        }
        walk.finish()
    });
    Ok(reports.collect())
}

/// Entries without those between them: each can be whole, and no more than that.
fn each(chain: &str, links: &[Link]) -> Report {
    let bad = links.iter().find(|link| !link.is_whole());
    let good = links.iter().take_while(|link| link.is_whole()).count();
    Report {
        chain: chain.to_owned(),
        good: good as u64,
        first_seq: links.first().map_or(0, |link| link.seq),
        last_seq: links.last().map_or(0, |link| link.seq),
        checkpoints: 0,
        finding: bad.map(|link| Finding {
            kind: Kind::Changed,
            seq: link.seq,
            detail: "its content does not have its hash".to_owned(),
        }),
    }
}
