//! Every way to tamper is found, and located.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use ed25519_dalek::SigningKey;

use super::*;
use crate::chain::hash;

const CHAIN: &str = "n1";

fn chain(length: u64) -> Vec<Link> {
    let mut prev = first(CHAIN);
    (1..=length)
        .map(|seq| {
            let body = format!("{{\"id\":\"{seq}\"}}");
            let link = Link {
                chain: CHAIN.to_owned(),
                seq,
                hash: hash(&prev, &body),
                prev: prev.clone(),
                body,
            };
            prev.clone_from(&link.hash);
            link
        })
        .collect()
}

fn checkpoint(links: &[Link], seq: u64, key: u8) -> Checkpoint {
    Checkpoint {
        chain: CHAIN.to_owned(),
        seq,
        count: seq,
        hash: links[usize::try_from(seq).unwrap() - 1].hash.clone(),
        at: "2026-11-22T20:45:00Z".to_owned(),
        key: String::new(),
        signature: String::new(),
    }
    .sign(&SigningKey::from_bytes(&[key; 32]))
}

/// As the module does it: it knows how many entries were sealed.
fn walk(links: &[Link], sealed: u64, checkpoints: Vec<Checkpoint>) -> Report {
    let known = Known {
        head: Some(sealed),
        last: links.last().map(|link| link.seq),
        checkpoints,
        ..Known::default()
    };
    let mut walk = Walk::new(CHAIN, known);
    for (place, link) in links.iter().enumerate() {
        if !walk.step(link, links.get(place + 1)) {
            break;
        }
    }
    walk.finish()
}

fn found(links: &[Link], sealed: u64, checkpoints: Vec<Checkpoint>) -> Option<(Kind, u64)> {
    walk(links, sealed, checkpoints).finding.map(|finding| (finding.kind, finding.seq))
}

/// Gives entries from `seq` on their numbers anew, as somebody would who hides a gap.
fn renumber(links: &mut [Link]) {
    for (seq, link) in (1..).zip(links) {
        link.seq = seq;
    }
}

/// Gives everything from `place` on its hashes anew, as somebody would who knows how they are made.
fn rehash(links: &mut [Link], place: usize) {
    for at in place..links.len() {
        links[at].prev = if at == 0 { first(CHAIN) } else { links[at - 1].hash.clone() };
        links[at].hash = hash(&links[at].prev, &links[at].body);
    }
}

#[test]
fn a_chain_in_order_is_good() {
    let links = chain(10);
    let report = walk(&links, 10, vec![checkpoint(&links, 5, 1), checkpoint(&links, 10, 1)]);
    assert_eq!((report.good, report.first_seq, report.last_seq, report.checkpoints), (10, 1, 10, 2));
    assert_eq!(report.finding, None);
    assert_eq!(walk(&[], 0, Vec::new()).finding, None);
}

#[test]
fn a_changed_entry_is_found_also_with_its_hash_made_anew() {
    for seq in [1, 4, 10] {
        let mut links = chain(10);
        links[seq - 1].body = "{\"id\":\"other\"}".to_owned();
        assert_eq!(found(&links, 10, Vec::new()), Some((Kind::Changed, seq as u64)), "{seq}");
    }
    let mut links = chain(10);
    links[3].body = "{\"id\":\"other\"}".to_owned();
    links[3].hash = hash(&links[3].prev, &links[3].body);
    assert_eq!(found(&links, 10, Vec::new()), Some((Kind::Changed, 4)));
}

#[test]
fn a_deleted_entry_is_found_also_with_the_rest_renumbered() {
    for seq in [1, 4, 9] {
        let mut links = chain(10);
        links.remove(seq - 1);
        assert_eq!(found(&links, 10, Vec::new()), Some((Kind::Deleted, seq as u64)), "{seq}");
        renumber(&mut links);
        assert_eq!(found(&links, 10, Vec::new()), Some((Kind::Deleted, seq as u64)), "renumbered {seq}");
    }
}

#[test]
fn an_inserted_entry_is_found_with_and_without_hashes_that_fit() {
    for seq in [1, 4, 10] {
        let mut links = chain(10);
        let mut new = links[seq - 1].clone();
        new.body = "{\"id\":\"new\"}".to_owned();
        links.insert(seq - 1, new.clone());
        renumber(&mut links);
        assert_eq!(found(&links, 10, Vec::new()), Some((Kind::Inserted, seq as u64)), "{seq}");
        links[seq - 1].hash = hash(&links[seq - 1].prev, &links[seq - 1].body);
        assert_eq!(
            found(&links, 10, Vec::new()),
            Some((Kind::Inserted, seq as u64)),
            "with its hash {seq}"
        );
    }
    let mut links = chain(11);
    assert_eq!(found(&links, 10, Vec::new()), Some((Kind::Inserted, 11)));
    links[10].seq = 10;
    assert_eq!(found(&links, 10, Vec::new()), Some((Kind::Inserted, 10)));
}

#[test]
fn a_cut_tail_is_found_by_the_head_and_by_checkpoints_from_elsewhere() {
    let whole = chain(10);
    let kept = checkpoint(&whole, 9, 1);
    assert_eq!(found(&whole[..7], 10, Vec::new()), Some((Kind::Cut, 8)));
    assert_eq!(
        found(&whole[..7], 7, Vec::new()),
        None,
        "whoever can write the head can hide it ..."
    );
    assert_eq!(
        found(&whole[..7], 7, vec![kept.clone()]),
        Some((Kind::Cut, 8)),
        "... but not from a checkpoint"
    );
    assert_eq!(found(&[], 0, vec![kept]), Some((Kind::Cut, 1)));
}

#[test]
fn a_chain_that_was_written_anew_is_found_by_a_checkpoint() {
    let whole = chain(10);
    let kept = vec![checkpoint(&whole, 2, 1), checkpoint(&whole, 8, 1)];
    let mut links = whole.clone();
    links[4].body = "{}".to_owned();
    rehash(&mut links, 4);
    assert_eq!(found(&links, 10, Vec::new()), None);
    assert_eq!(found(&links, 10, kept), Some((Kind::Changed, 3)));
}

#[test]
fn a_checkpoint_that_is_not_signed_counts_for_nothing_and_is_reported() {
    let links = chain(10);
    let mut bad = checkpoint(&links, 5, 1);
    bad.hash = first("other");
    assert_eq!(found(&links, 10, vec![bad]), Some((Kind::Checkpoint, 5)));
    let known = Known {
        checkpoints: vec![checkpoint(&links, 5, 2)],
        key: Some(checkpoint(&links, 5, 1).key),
        ..Known::default()
    };
    let finding = Walk::new(CHAIN, known).finish().finding.unwrap();
    assert!(
        finding.kind == Kind::Checkpoint && finding.detail.contains("another key"),
        "{finding:?}"
    );
}

#[test]
fn a_file_is_verified_without_a_host() {
    let links = chain(5);
    let file = |links: &[Link]| {
        let mut text = "{\"format\":\"wharf-audit-1\",\"whole\":true}\n".to_owned();
        for link in links {
            text.push_str(&serde_json::to_string(link).unwrap());
            text.push('\n');
        }
        text
    };
    let kept = [checkpoint(&links, 5, 1)];
    let reports = check_file(&file(&links), &kept, None).unwrap();
    assert_eq!((reports.len(), reports[0].good, reports[0].checkpoints), (1, 5, 1));
    let kind = |links: &[Link]| {
        let reports = check_file(&file(links), &kept, None).unwrap();
        reports[0].finding.as_ref().map(|finding| (finding.kind, finding.seq))
    };
    assert_eq!(kind(&links), None);
    assert_eq!(kind(&links[..3]), Some((Kind::Cut, 4)));
    let mut changed = links.clone();
    changed[2].body = "{}".to_owned();
    assert_eq!(kind(&changed), Some((Kind::Changed, 3)));
    changed.remove(2);
    assert_eq!(kind(&changed), Some((Kind::Deleted, 3)));
    assert!(matches!(check_file("{}", &kept, None), Err(FileError::Header)));
    let part = file(&links[2..4]).replace("true", "false");
    assert_eq!(check_file(&part, &[], None).unwrap()[0].good, 2);
}
