//! The compiled rules answer as casbin does, on random policies: denies, hierarchy, tenants and globs, with the model the module
//! authz edits by.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi, function_map::OperatorFunction, rhai::Dynamic};
use wharf_host::security::authorizer::matches;
use wharf_host::security::{Decision, Resource, RuleSet, Scope};
use wharf_proto::authz::MODEL;
use wharf_proto::authz::v1::{Binding, PolicyUpdate, Rule};

const POLICIES: u64 = 50;
const REQUESTS: usize = 200;
const RULES: usize = 1_000;

/// Of Marsaglia: `xorshift64*`.
struct Dice(u64);

/// What is asked.
#[derive(Debug)]
struct Asked {
    caller: String,
    tenant: String,
    permission: String,
    name: String,
    owner: String,
}

/// A policy: distinct lines of rules and bindings.
#[derive(Default)]
struct Lines {
    rules: BTreeSet<[String; 5]>,
    bindings: BTreeSet<[String; 3]>,
}

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }

    fn one_of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len() as u64) as usize]
    }

    fn caller(&mut self) -> String {
        match self.below(20) {
            0 => format!("module:m{}", self.below(3)),
            1 => format!("service:s{}", self.below(5)),
            _ => format!("user:u{}", self.below(30)),
        }
    }

    fn subject(&mut self) -> String {
        match self.below(10) {
            0 => self.caller(),
            1 | 2 => format!("group:g{}", self.below(8)),
            _ => format!("role:r{}", self.below(15)),
        }
    }

    fn tenant(&mut self) -> &'static str {
        self.one_of(&["t0", "t1", "t2", "t3", "*"])
    }

    fn permission(&mut self) -> String {
        format!(
            "m{}.o{}.{}",
            self.below(4),
            self.below(6),
            self.one_of(&["read", "write", "delete"])
        )
    }

    fn rule(&mut self) -> [String; 5] {
        // Denies are narrower than allows, as people write them: otherwise nothing would be allowed.
        let deny = self.below(12) == 0;
        let permission = match self.below(if deny { 40 } else { 8 }) {
            0 => format!("m{}.*", self.below(4)),
            1 => format!("*.{}", self.one_of(&["read", "write"])),
            2 => format!("m{}.*.{}", self.below(4), self.one_of(&["read", "delete"])),
            3 => format!("m{}.o{}*", self.below(4), self.below(6)),
            4 if !deny && self.below(20) == 0 => "*".to_owned(),
            _ => self.permission(),
        };
        let resource = match self.below(if deny { 60 } else { 7 }) {
            0 => "*".to_owned(),
            1 => "own".to_owned(),
            2 => format!("{}/*", self.one_of(&["post", "page"])),
            3 => format!("*/{}", self.below(6)),
            4 => "p*t*1".to_owned(),
            _ => self.name(),
        };
        let effect = if deny { "deny" } else { "allow" };
        [self.subject(), self.tenant().to_owned(), permission, resource, effect.to_owned()]
    }

    fn name(&mut self) -> String {
        format!("{}/{}", self.one_of(&["post", "page", "point"]), self.below(12))
    }

    fn binding(&mut self) -> [String; 3] {
        let (member, role) = match self.below(8) {
            0..=2 => (self.caller(), format!("role:r{}", self.below(15))),
            3 | 4 => (self.caller(), format!("group:g{}", self.below(8))),
            5 => (format!("group:g{}", self.below(8)), format!("role:r{}", self.below(15))),
            // Back as well as forth: there are cycles.
            _ => (format!("role:r{}", self.below(15)), format!("role:r{}", self.below(15))),
        };
        [member, role, self.tenant().to_owned()]
    }

    fn policy(&mut self) -> Lines {
        let mut lines = Lines::default();
        while lines.rules.len() < RULES {
            lines.rules.insert(self.rule());
        }
        for _ in 0..80 {
            let binding = self.binding();
            if binding[0] != binding[1] {
                lines.bindings.insert(binding);
            }
        }
        lines
    }

    fn asked(&mut self) -> Asked {
        let caller = self.caller();
        let owner = match self.below(3) {
            0 => caller.clone(),
            1 => self.caller(),
            _ => String::new(),
        };
        let tenant = if caller.starts_with("module:") {
            ""
        } else {
            self.one_of(&["t0", "t1", "t2", "t3", "t4"])
        };
        Asked {
            caller,
            tenant: tenant.to_owned(),
            permission: self.permission(),
            name: if self.below(6) == 0 { String::new() } else { self.name() },
            owner,
        }
    }
}

impl Lines {
    /// All of it as a snapshot, of which some comes, and some goes again, with a change.
    fn compiled(&self, dice: &mut Dice) -> RuleSet {
        let mut first = PolicyUpdate {
            epoch: 1,
            snapshot: true,
            ..PolicyUpdate::default()
        };
        let mut second = PolicyUpdate {
            epoch: 2,
            ..PolicyUpdate::default()
        };
        for line in &self.rules {
            let update = if dice.below(4) == 0 { &mut second } else { &mut first };
            update.rules_added.push(rule(line));
        }
        for line in &self.bindings {
            let update = if dice.below(4) == 0 { &mut second } else { &mut first };
            update.bindings_added.push(binding(line));
        }
        for _ in 0..50 {
            let (extra, bound) = (dice.rule(), dice.binding());
            if !self.rules.contains(&extra) {
                first.rules_added.push(rule(&extra));
                second.rules_removed.push(rule(&extra));
            }
            if !self.bindings.contains(&bound) {
                first.bindings_added.push(binding(&bound));
                second.bindings_removed.push(binding(&bound));
            }
        }
        RuleSet::default().apply(first).unwrap().apply(second).unwrap()
    }

    async fn enforcer(&self) -> Enforcer {
        let model = DefaultModel::from_str(MODEL).await.unwrap();
        let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await.unwrap();
        enforcer.add_function("glob", OperatorFunction::Arg2(glob));
        enforcer.get_role_manager().write().matching_fn(None, Some(within));
        let rules = self.rules.iter().map(|line| line.to_vec()).collect();
        enforcer.add_policies(rules).await.unwrap();
        let bindings = self.bindings.iter().map(|line| line.to_vec()).collect();
        enforcer.add_grouping_policies(bindings).await.unwrap();
        enforcer
    }
}

fn rule(line: &[String; 5]) -> Rule {
    let [subject, tenant, permission, resource, effect] = line.clone();
    Rule {
        subject,
        tenant,
        permission,
        resource,
        deny: effect == "deny",
    }
}

fn binding(line: &[String; 3]) -> Binding {
    let [member, role, tenant] = line.clone();
    Binding { member, role, tenant }
}

fn glob(glob: Dynamic, text: Dynamic) -> Dynamic {
    matches(&glob.into_string().unwrap(), &text.into_string().unwrap()).into()
}

fn within(tenant: &str, stated: &str) -> bool {
    stated == "*" || stated == tenant
}

/// Whether a row is in a scope, as the SDK's condition would find it.
fn is_in(scope: &Scope, asked: &Asked) -> bool {
    let [allowed, denied] = [&scope.allow, &scope.deny].map(|rows| {
        rows.all
            || (rows.own && asked.owner == asked.caller)
            || rows.names.contains(&asked.name)
            || rows.globs.iter().any(|glob| matches(glob, &asked.name))
    });
    allowed && !denied
}

#[test]
fn the_snapshot_answers_as_casbin_does_on_random_policies() {
    // Two halves at the same time: casbin takes nearly all of it.
    let halves = [0, POLICIES / 2].map(|from| std::thread::spawn(move || (from..from + POLICIES / 2).map(compare).sum::<usize>()));
    let allowed: usize = halves.into_iter().map(|half| half.join().unwrap()).sum();
    let all = POLICIES as usize * REQUESTS;
    assert!(
        (all / 10..all * 9 / 10).contains(&allowed),
        "{allowed} of {all} were allowed: that tells little"
    );
}

/// Compares one policy; gives how many requests were allowed.
fn compare(seed: u64) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15 ^ (seed + 1).wrapping_mul(0xD134_2543_DE82_EF95));
    let lines = dice.policy();
    let compiled = lines.compiled(&mut dice);
    assert_eq!((compiled.rules(), compiled.bindings()), (lines.rules.len(), lines.bindings.len()));
    let enforcer = runtime.block_on(lines.enforcer());
    let mut allowed = 0;
    for _ in 0..REQUESTS {
        let asked = dice.asked();
        let Asked {
            caller,
            tenant,
            permission,
            name,
            owner,
        } = &asked;
        let expected = enforcer.enforce((caller, tenant, permission, name, owner)).unwrap();
        let resource = Resource {
            name,
            owner: Some(owner.as_str()).filter(|owner| !owner.is_empty()),
        };
        let found = compiled.check(caller, tenant, permission, resource);
        let why = compiled.explain(caller, tenant, permission, resource);
        assert_eq!(found == Decision::Allow, expected, "policy {seed}, {asked:?}: {why:?}");
        assert_eq!(why.decision, found, "policy {seed}, {asked:?}: {why:?}");
        assert_eq!(
            is_in(&compiled.scope(caller, tenant, permission), &asked),
            expected,
            "policy {seed}, {asked:?}"
        );
        assert!(!expected || compiled.holds(caller, tenant, permission), "policy {seed}, {asked:?}");
        allowed += usize::from(expected);
    }
    allowed
}

/// The file `rules/matrix.toml`.
#[derive(serde::Deserialize)]
struct Matrix {
    tenants: Vec<String>,
    rules: Vec<String>,
    bindings: Vec<String>,
    questions: Vec<Question>,
    cells: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
struct Question {
    name: String,
    permission: String,
    resource: String,
    owner: String,
}

fn words<const N: usize>(line: &str) -> [String; N] {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    words.try_into().unwrap_or_else(|_| panic!("expected {N} words in {line:?}"))
}

#[test]
fn each_role_may_do_with_each_resource_what_the_table_says() {
    let matrix: Matrix = toml::from_str(include_str!("rules/matrix.toml")).unwrap();
    let lines = Lines {
        rules: matrix.rules.iter().map(|line| words(line)).collect(),
        bindings: matrix.bindings.iter().map(|line| words(line)).collect(),
    };
    let snapshot = PolicyUpdate {
        epoch: 1,
        snapshot: true,
        rules_added: lines.rules.iter().map(rule).collect(),
        bindings_added: lines.bindings.iter().map(binding).collect(),
        ..PolicyUpdate::default()
    };
    let compiled = RuleSet::default().apply(snapshot).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let enforcer = runtime.block_on(lines.enforcer());
    let mut wrong = Vec::new();
    for (row, cells) in &matrix.cells {
        let [caller, tenant] = words(row);
        let cells: Vec<&str> = cells.split_whitespace().collect();
        assert_eq!(cells.len(), matrix.questions.len(), "{row}");
        for (question, expected) in matrix.questions.iter().zip(cells) {
            let Question {
                permission,
                resource: name,
                owner,
                ..
            } = question;
            let owner = if owner == "self" { &caller } else { owner };
            let resource = Resource {
                name,
                owner: Some(owner.as_str()).filter(|owner| !owner.is_empty()),
            };
            let by_casbin = enforcer.enforce((&caller, &tenant, permission, name, owner)).unwrap();
            let by_host = compiled.check(&caller, &tenant, permission, resource) == Decision::Allow;
            if (by_casbin, by_host) != (expected == "yes", expected == "yes") {
                let name = &question.name;
                wrong.push(format!(
                    "{row}, {name}: expected {expected}, casbin says {by_casbin}, the host {by_host}"
                ));
            }
        }
    }
    // A subject that somebody added to the rules and not to the table.
    let subjects = lines
        .rules
        .iter()
        .map(|line| &line[0])
        .chain(lines.bindings.iter().map(|line| &line[0]));
    for subject in subjects.filter(|subject| !subject.starts_with("role:")) {
        for tenant in &matrix.tenants {
            if !matrix.cells.contains_key(&format!("{subject} {tenant}")) {
                wrong.push(format!("there is no row for {subject} in {tenant}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
