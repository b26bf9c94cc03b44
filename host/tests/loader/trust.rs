//! Stage 2: hashes and signatures.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use wharf_host::modules::inspect::InspectRules;
use wharf_host::modules::plan::check_file;
use wharf_host::modules::trust::{KeyPair, TrustError, TrustKey, TrustMode, TrustPolicy, sign_file, signature_path};
use wharf_host::modules::verify::VerifyContext;

use super::fixture::{Library, Plugins, codes, context, good, manifest, set_mode};

/// A signed library and everything needed to judge it.
struct Signed {
    plugins: Plugins,
    file: PathBuf,
    key: KeyPair,
    now: Timestamp,
}

impl Signed {
    fn new() -> Self {
        let plugins = Plugins::new();
        let file = plugins.put("libgood.so", &good());
        let signed = Self {
            plugins,
            file,
            key: KeyPair::generate("release").unwrap(),
            now: context().now,
        };
        signed.sign(&signed.key);
        signed
    }

    fn sign(&self, key: &KeyPair) {
        let path = sign_file(&self.file, key, &InspectRules::default(), self.now).unwrap();
        set_mode(&path, 0o644);
    }

    fn envelope(&self) -> PathBuf {
        signature_path(&self.file)
    }

    /// Writes the signature file again with one text in place of another.
    fn tamper(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.envelope()).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(self.envelope(), text.replace(from, to)).unwrap();
    }

    fn check(&self, change: impl FnOnce(&mut TrustKey)) -> Vec<String> {
        let mut key = self.key.public();
        change(&mut key);
        self.check_with(TrustPolicy {
            keys: vec![key],
            ..TrustPolicy::default()
        })
    }

    fn check_with(&self, policy: TrustPolicy) -> Vec<String> {
        let context = VerifyContext {
            trust: Arc::new(policy),
            now: self.now,
            ..context()
        };
        codes(&check_file(&self.file, &context).findings)
            .into_iter()
            .map(str::to_owned)
            .collect()
    }
}

#[test]
fn a_file_signed_with_a_trusted_key_is_accepted_and_says_by_whom() {
    let signed = Signed::new();
    let policy = TrustPolicy {
        keys: vec![signed.key.public()],
        ..TrustPolicy::default()
    };
    assert_eq!(policy.mode, TrustMode::Signed, "signed is the default");
    let context = VerifyContext {
        trust: Arc::new(policy),
        ..context()
    };
    let report = check_file(&signed.file, &context);
    assert_eq!(report.findings, []);
    assert_eq!(report.modules[0].signed_by.as_deref(), Some("release"));
}

#[test]
fn a_signature_that_does_not_count_says_why() {
    let day = |days: i64| move |now: Timestamp| now + (days * 24).hours();
    let signed = Signed::new();
    let (now, yesterday, tomorrow) = (signed.now, day(-1)(signed.now), day(1)(signed.now));
    assert_eq!(signed.check(|_| {}), [""; 0]);
    assert_eq!(signed.check(|key| key.expires = Some(tomorrow)), [""; 0]);
    assert_eq!(signed.check(|key| key.expires = Some(now)), ["trust.key-expired"]);
    assert_eq!(signed.check(|key| key.expires = Some(yesterday)), ["trust.key-expired"]);
    assert_eq!(signed.check(|key| key.not_before = Some(tomorrow)), ["trust.key-early"]);
    assert_eq!(signed.check(|key| key.revoked = true), ["trust.key-revoked"]);
    assert_eq!(signed.check(|key| key.id = "other".into()), ["trust.key-unknown"]);
    assert_eq!(signed.check(|key| key.public = "AAAA".into()), ["trust.key-malformed"]);
    assert_eq!(
        signed.check(|key| key.public = format!("{}=", "A".repeat(43))),
        ["trust.key-malformed"],
        "a weak key"
    );
    let twice = TrustPolicy {
        keys: vec![
            signed.key.public(),
            TrustKey {
                revoked: true,
                ..signed.key.public()
            },
        ],
        ..TrustPolicy::default()
    };
    assert_eq!(signed.check_with(twice), ["trust.key-malformed"], "two keys of one name");
    let other = KeyPair::generate("release").unwrap().public().public;
    assert_eq!(signed.check(|key| key.public = other), ["trust.signature-wrong"]);
}

#[test]
fn a_signature_from_before_its_key_or_from_the_future_does_not_count() {
    let mut signed = Signed::new();
    let made = signed.now;
    signed.now = made + 2.hours();
    assert_eq!(signed.check(|key| key.not_before = Some(made + 1.hour())), ["trust.signature-time"]);
    signed.now = made - 4.minutes();
    assert_eq!(signed.check(|_| {}), [""; 0]);
    signed.now = made - 6.minutes();
    assert_eq!(signed.check(|_| {}), ["trust.signature-time"]);
}

#[test]
fn a_missing_or_unreadable_signature_is_refused() {
    let signed = Signed::new();
    for content in ["", "{}", "not json", "{\"format\": 2}", "{\"format\": 1, \"id\": \"good\"}"] {
        fs::write(signed.envelope(), content).unwrap();
        assert_eq!(signed.check(|_| {}), ["trust.signature-malformed"], "{content}");
    }
    fs::remove_file(signed.envelope()).unwrap();
    assert_eq!(signed.check(|_| {}), ["trust.signature-missing"]);
}

#[test]
fn every_claim_is_covered_by_the_signature() {
    let hash = wharf_host::modules::place::hex(&[0; 32]);
    for (from, to) in [
        ("\"good\"", "\"evil\""),
        ("\"1.2.3\"", "\"9.9.9\""),
        ("2026-06-01", "2026-06-02"),
        ("\"sha256\": \"", "\"sha256\": \""),
    ] {
        let signed = Signed::new();
        if from == to {
            let text = fs::read_to_string(signed.envelope()).unwrap();
            let at = text.find(from).unwrap() + from.len();
            fs::write(signed.envelope(), format!("{}{hash}{}", &text[..at], &text[at + 64..])).unwrap();
        } else {
            signed.tamper(from, to);
        }
        assert_eq!(signed.check(|_| {}), ["trust.signature-wrong"], "{from}");
    }
    let signed = Signed::new();
    signed.tamper("\"format\": 1", "\"format\": 1, \"more\": 1");
    assert_eq!(signed.check(|_| {}), ["trust.signature-malformed"]);
}

#[test]
fn a_signature_for_another_file_does_not_count() {
    let signed = Signed::new();
    signed.plugins.put("libgood.so", &Library::with(&manifest("good", "1.2.4")).build());
    assert_eq!(signed.check(|_| {}), ["trust.signature-other-file"]);
}

#[test]
fn a_signature_that_claims_another_id_or_version_does_not_count() {
    use sha2::Digest as _;
    use wharf_host::modules::trust::Claims;

    let signed = Signed::new();
    let hash = sha2::Sha256::digest(good()).into();
    let claims = |id: &str, version: &str| Claims {
        id: id.into(),
        version: version.parse().unwrap(),
        hash,
        key: String::new(),
        time: signed.now,
    };
    for (id, version, expected) in [
        ("good", "1.2.3", None),
        ("other", "1.2.3", Some("trust.signature-other-module")),
        ("good", "2.0.0", Some("trust.signature-other-module")),
    ] {
        fs::write(signed.envelope(), signed.key.sign(claims(id, version)).to_json()).unwrap();
        assert_eq!(signed.check(|_| {}), Vec::from_iter(expected), "{id} {version}");
    }
}

#[test]
fn a_signature_file_is_held_to_the_rules_of_place() {
    let signed = Signed::new();
    set_mode(&signed.envelope(), 0o666);
    assert_eq!(signed.check(|_| {}), ["place.file-writable"]);
    fs::write(signed.envelope(), vec![b' '; 9000]).unwrap();
    set_mode(&signed.envelope(), 0o644);
    assert_eq!(signed.check(|_| {}), ["place.too-large"]);
}

#[test]
fn under_hashed_only_listed_files_are_accepted() {
    let signed = Signed::new();
    let hash = check_file(&signed.file, &context()).modules[0].hash.clone().unwrap();
    let policy = |hash: String| TrustPolicy {
        mode: TrustMode::Hashed,
        hashes: [hash].into(),
        ..TrustPolicy::default()
    };
    assert_eq!(signed.check_with(policy(hash)), [""; 0]);
    assert_eq!(signed.check_with(policy("00".repeat(32))), ["trust.hash-unlisted"]);
}

#[test]
fn a_version_below_the_minimum_is_refused_under_every_policy() {
    let signed = Signed::new();
    let hash = check_file(&signed.file, &context()).modules[0].hash.clone().unwrap();
    for mode in [TrustMode::Any, TrustMode::Hashed, TrustMode::Signed] {
        for (least, expected) in [("1.2.3", None), ("1.2.4", Some("trust.version-below-minimum"))] {
            let policy = TrustPolicy {
                mode,
                keys: vec![signed.key.public()],
                hashes: [hash.clone()].into(),
                min_versions: [("good".to_owned(), least.parse().unwrap())].into(),
            };
            assert_eq!(signed.check_with(policy), Vec::from_iter(expected), "{mode:?} {least}");
        }
    }
}

#[test]
fn what_no_host_would_load_is_not_signed() {
    let plugins = Plugins::new();
    let key = KeyPair::generate("release").unwrap();
    let sign = |path: &Path| sign_file(path, &key, &InspectRules::default(), context().now);
    let error = sign(&plugins.put("libbad.so", b"no library at all, but some bytes")).unwrap_err();
    assert!(
        matches!(&error, TrustError::NotAModule { findings, .. } if codes(findings) == ["inspect.not-object"]),
        "{error}"
    );
    assert!(matches!(sign(&plugins.path().join("libnone.so")), Err(TrustError::Io { .. })));
    assert!(!signature_path(&plugins.path().join("libbad.so")).exists());
}
