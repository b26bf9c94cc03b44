//! Going through a chain: the first bad place, and what is wrong there. No I/O: the module does it on its tables, the command
//! line on an exported file.

mod file;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::chain::{Checkpoint, Link, first};

pub use file::{FileError, check_file};

/// What is wrong at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The entry is not the one that was sealed.
    Changed,
    /// An entry that was sealed is gone.
    Deleted,
    /// This entry was never sealed.
    Inserted,
    /// The last entries are gone.
    Cut,
    /// A checkpoint is not signed, or not by the key it should be.
    Checkpoint,
}

/// The first bad place of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is wrong.
    pub kind: Kind,
    /// Where.
    pub seq: u64,
    /// In a sentence.
    pub detail: String,
}

/// What came of going through a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The chain.
    pub chain: String,
    /// Entries in order.
    pub good: u64,
    /// First entry that was looked at.
    pub first_seq: u64,
    /// Last entry in order.
    pub last_seq: u64,
    /// Checkpoints that agree.
    pub checkpoints: u64,
    /// The first bad place; none: all is in order.
    pub finding: Option<Finding>,
}

/// Where a walk begins and what is known of the chain.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Number and hash of the entry before the first; none: the chain's beginning.
    pub before: Option<(u64, String)>,
    /// Number of the last entry, where the end is looked at.
    pub head: Option<u64>,
    /// Hash of that entry, if it is known.
    pub head_hash: Option<String>,
    /// Number of the last entry there is.
    pub last: Option<u64>,
    /// Signed states to compare with.
    pub checkpoints: Vec<Checkpoint>,
    /// The only key whose checkpoints count, if it is known.
    pub key: Option<String>,
}

/// Goes through one chain, entry by entry.
#[derive(Debug)]
pub struct Walk {
    known: Known,
    /// By entry; several of one entry must agree.
    checkpoints: BTreeMap<u64, Vec<Checkpoint>>,
    prev: String,
    /// `prev` of the last good entry.
    prev_before: Option<String>,
    proven: u64,
    /// Said only when all entries are in order: they say more.
    unproven: Option<Finding>,
    report: Report,
}

impl Kind {
    /// As in the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Inserted => "inserted",
            Self::Cut => "cut",
            Self::Checkpoint => "checkpoint",
        }
    }
}

impl Walk {
    /// Begins. Checkpoints are looked at first: one that is not signed proves nothing.
    #[must_use]
    pub fn new(chain: &str, mut known: Known) -> Self {
        let (seq, prev) = known.before.clone().unwrap_or_else(|| (0, first(chain)));
        let mut walk = Self {
            checkpoints: BTreeMap::new(),
            prev,
            prev_before: None,
            proven: seq,
            unproven: None,
            report: Report {
                chain: chain.to_owned(),
                good: 0,
                first_seq: seq + 1,
                last_seq: seq,
                checkpoints: 0,
                finding: None,
            },
            known: Known::default(),
        };
        for checkpoint in std::mem::take(&mut known.checkpoints) {
            if checkpoint.chain != chain {
                continue;
            }
            let foreign = known.key.as_ref().is_some_and(|key| *key != checkpoint.key);
            if foreign || !checkpoint.is_signed() {
                let what = if foreign {
                    "is signed with another key"
                } else {
                    "has a signature that is not one"
                };
                walk.unproven.get_or_insert(Finding {
                    kind: Kind::Checkpoint,
                    seq: checkpoint.seq,
                    detail: format!("the checkpoint of entry {} {what}", checkpoint.seq),
                });
                continue;
            }
            walk.checkpoints.entry(checkpoint.seq).or_default().push(checkpoint);
        }
        walk.known = known;
        walk
    }

    /// The next entry, and the one after it. `false`: there is no use in going on.
    pub fn step(&mut self, link: &Link, next: Option<&Link>) -> bool {
        if self.report.finding.is_some() {
            return false;
        }
        if let Some((kind, seq, detail)) = self.look(link, next) {
            self.find(kind, seq, detail);
            return false;
        }
        self.prev_before = Some(std::mem::replace(&mut self.prev, link.hash.clone()));
        self.report.good += 1;
        self.report.last_seq = link.seq;
        self.agree(link)
    }

    /// Somebody else found something.
    pub fn found(&mut self, finding: Finding) {
        self.report.finding.get_or_insert(finding);
    }

    /// Entries before the first one were removed, and no signed checkpoint says up to where.
    pub fn base_is_unproven(&mut self) {
        let seq = self.report.last_seq;
        self.find(
            Kind::Deleted,
            1,
            format!("entries up to {seq} are gone, and no signed checkpoint says that they were there"),
        );
    }

    /// The end.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let last = self.report.last_seq;
        let promised = self.checkpoints.keys().next_back().copied().filter(|seq| *seq > last);
        let promised = promised.filter(|_| self.known.head.is_some());
        if let Some(seq) = promised {
            self.find(
                Kind::Cut,
                last + 1,
                format!("there is a checkpoint of entry {seq}, and the last entry is {last}"),
            );
        } else if let Some(head) = self.known.head.filter(|head| *head > last) {
            self.find(
                Kind::Cut,
                last + 1,
                format!("{head} entries were sealed, and the last one is {last}"),
            );
        }
        self.report.finding = self.report.finding.or(self.unproven);
        self.report
    }

    fn look(&self, link: &Link, next: Option<&Link>) -> Option<(Kind, u64, String)> {
        let expected = self.report.last_seq + 1;
        let whole = link.is_whole();
        if link.seq == expected && link.prev == self.prev && whole {
            return match self.known.head {
                Some(head) if link.seq > head => Some((
                    Kind::Inserted,
                    link.seq,
                    format!("only {head} entries were sealed, and this is number {}", link.seq),
                )),
                _ => None,
            };
        }
        if link.seq > expected {
            return Some((
                Kind::Deleted,
                expected,
                format!("after entry {} comes entry {}", expected - 1, link.seq),
            ));
        }
        if link.seq < expected {
            return Some((Kind::Inserted, link.seq, format!("there is a second entry {}", link.seq)));
        }
        if self.known.head.is_some_and(|head| link.seq > head) && self.known.head_hash.as_ref() == Some(&self.prev) {
            return Some((
                Kind::Inserted,
                link.seq,
                "the entry before it is the last one that was sealed".to_owned(),
            ));
        }
        if next.is_some_and(|next| next.prev == self.prev && next.is_whole()) {
            return Some((Kind::Inserted, link.seq, "the entry after it follows the one before it".to_owned()));
        }
        if whole && self.prev_before.as_ref() == Some(&link.prev) {
            return Some((
                Kind::Inserted,
                expected - 1,
                "the entry after it follows the one before it".to_owned(),
            ));
        }
        if !whole {
            return Some((Kind::Changed, link.seq, "its content does not have its hash".to_owned()));
        }
        Some(self.between(link))
    }

    /// An entry that is whole and follows another one than the one before it: that one was written anew, or some between are gone.
    fn between(&self, link: &Link) -> (Kind, u64, String) {
        let missing = match (self.known.head, self.known.last) {
            (Some(head), Some(last)) => last < head,
            _ => false,
        };
        match self.prev_before {
            Some(_) if !missing => (
                Kind::Changed,
                link.seq - 1,
                format!("it has another hash than the one that entry {} follows", link.seq),
            ),
            _ => (
                Kind::Deleted,
                link.seq,
                format!("entry {} does not follow entry {}", link.seq, link.seq - 1),
            ),
        }
    }

    /// Whether the checkpoints of an entry say the same. A chain that was written anew is in order by itself, and shows here.
    fn agree(&mut self, link: &Link) -> bool {
        let Some(checkpoints) = self.checkpoints.get(&link.seq) else {
            return true;
        };
        let good = checkpoints
            .iter()
            .filter(|checkpoint| checkpoint.hash == link.hash && checkpoint.count == link.seq)
            .count();
        if good == checkpoints.len() {
            self.report.checkpoints += good as u64;
            self.proven = link.seq;
            return true;
        }
        let from = self.proven + 1;
        self.find(
            Kind::Changed,
            from,
            format!(
                "the chain was written anew somewhere from entry {from} to entry {}: a checkpoint has another hash",
                link.seq
            ),
        );
        false
    }

    fn find(&mut self, kind: Kind, seq: u64, detail: String) {
        // The first one stays.
        self.report.finding.get_or_insert(Finding { kind, seq, detail });
    }
}

#[cfg(test)]
mod tests;
