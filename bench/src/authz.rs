//! Whether somebody may: the host's compiled rules, beside casbin's own enforce on the same rules.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Result, ensure};
use casbin::function_map::OperatorFunction;
use casbin::rhai::Dynamic;
use casbin::{CoreApi, DefaultModel, Enforcer, MemoryAdapter, MgmtApi};
use wharf_host::security::authorizer::matches;
use wharf_host::security::principal::{About, Kind};
use wharf_host::security::{Authorizer, Decision, Principal, Resource, Rules};
use wharf_proto::authz::MODEL;
use wharf_proto::authz::v1::{Binding, PolicyUpdate, Rule};

use crate::report::{Report, Spread};

const ROUNDS: usize = 21;
const CHECKS: u32 = 100_000;
/// Callers that ask in turn.
const CALLERS: usize = 512;
/// Tenants of the installation.
const TENANTS: usize = 10;
/// Rules and bindings together, the bar in nanoseconds, and how many enforces are measured.
const SIZES: [(usize, f64, u32); 3] = [(1_000, 1_000.0, 200), (10_000, 1_000.0, 40), (110_000, 5_000.0, 8)];

/// As many rules as bindings are in proportion: one rule for ten accounts, a tenth of them denies, some with globs.
struct Sample {
    rules: Vec<Rule>,
    bindings: Vec<Binding>,
}

impl Sample {
    fn of(size: usize) -> Self {
        let roles = size / 11;
        let accounts = size - roles;
        let rules = (0..roles).map(|role| {
            let permission = match role % 20 {
                0 => format!("m{}.*", role % 7),
                1 => "*.read".to_owned(),
                _ => format!("m{}.o{}.write", role % 7, role % 13),
            };
            let resource = match role % 4 {
                0 => "*".to_owned(),
                1 => "own".to_owned(),
                2 => format!("post/{}*", role % 9),
                _ => format!("post/{role}"),
            };
            Rule {
                subject: format!("role:r{role}"),
                tenant: tenant(role),
                permission,
                resource,
                deny: role % 10 == 9,
            }
        });
        let bindings = (0..accounts).map(|account| Binding {
            member: format!("user:u{account}"),
            role: format!("role:r{}", account % roles),
            tenant: tenant(account % roles),
        });
        Self {
            rules: rules.collect(),
            bindings: bindings.collect(),
        }
    }

    fn compiled(&self) -> Result<Rules> {
        let rules = Rules::unknown();
        rules.apply(PolicyUpdate {
            epoch: 1,
            snapshot: true,
            rules_added: self.rules.clone(),
            bindings_added: self.bindings.clone(),
            ..PolicyUpdate::default()
        })?;
        Ok(rules)
    }

    async fn enforcer(&self) -> Result<Enforcer> {
        let model = DefaultModel::from_str(MODEL).await?;
        let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await?;
        enforcer.add_function("glob", OperatorFunction::Arg2(glob));
        enforcer.get_role_manager().write().matching_fn(None, Some(within));
        enforcer.enable_auto_build_role_links(false);
        let rules = self.rules.iter().map(|rule| {
            let effect = if rule.deny { "deny" } else { "allow" };
            [&rule.subject, &rule.tenant, &rule.permission, &rule.resource, effect]
                .map(ToOwned::to_owned)
                .to_vec()
        });
        enforcer.add_policies(rules.collect()).await?;
        let bindings = self
            .bindings
            .iter()
            .map(|line| vec![line.member.clone(), line.role.clone(), line.tenant.clone()]);
        enforcer.add_grouping_policies(bindings.collect()).await?;
        enforcer.build_role_links()?;
        Ok(enforcer)
    }

    /// Callers from all over the accounts, each with a permission and a resource of its role.
    fn asked(&self) -> Vec<(Principal, String, String)> {
        let step = (self.bindings.len() / CALLERS).max(1);
        let all = self.bindings.iter().step_by(step).take(CALLERS).enumerate();
        let asked = all.map(|(place, line)| {
            let id = line.member.trim_start_matches("user:");
            let tenant = line.tenant.clone();
            let who = Principal::known(
                Kind::User,
                id,
                About {
                    tenant,
                    ..About::default()
                },
            );
            (
                who,
                format!("m{}.o{}.write", place % 7, place % 13),
                format!("post/{}", place % 100),
            )
        });
        asked.collect()
    }
}

/// Checks of callers in turn; then the first check after a change, and what a change costs.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.section("permission checks, each of another caller", "wharf-bench authz");
    for (size, bar, enforces) in SIZES {
        let sample = Sample::of(size);
        let (rules, asked) = (sample.compiled()?, sample.asked());
        same(&sample, &rules, &asked, enforces)?;
        let checks = (0..ROUNDS).map(|_| check(&rules, &asked)).collect();
        let spread = Spread::of(checks);
        let note = format!("{:.0} to {:.0}", spread.least, spread.most);
        report.figure(&format!("{size} rules, compiled"), spread.middle, "ns", Some(bar), &note);
        report.figure(
            &format!("{size} rules, casbin's enforce"),
            enforce(&sample, &asked, enforces)?,
            "ns",
            None,
            "",
        );
        let (change, first) = change(&rules, &asked)?;
        report.figure(&format!("{size} rules, taking a change in"), change, "us", None, "");
        report.figure(&format!("{size} rules, first check of a caller after it"), first, "ns", None, "");
    }
    Ok(())
}

fn check(rules: &Rules, asked: &[(Principal, String, String)]) -> f64 {
    let turns = CHECKS as usize / asked.len().max(1);
    let start = Instant::now();
    for _ in 0..turns {
        for (who, permission, name) in asked {
            black_box(rules.check(black_box(who), permission, Resource { name, owner: None }));
        }
    }
    start.elapsed().as_nanos() as f64 / (turns * asked.len()) as f64
}

/// A comparison of answers that differ would compare nothing.
fn same(sample: &Sample, rules: &Rules, asked: &[(Principal, String, String)], enforces: u32) -> Result<()> {
    let enforcer = runtime()?.block_on(sample.enforcer())?;
    for (who, permission, name) in asked.iter().take(enforces as usize) {
        let tenant = who.identity().map_or("", |who| &who.tenant);
        let theirs = enforcer.enforce((who.subject(), tenant, permission, name, ""))?;
        let ours = rules.check(who, permission, Resource { name, owner: None }) == Decision::Allow;
        ensure!(
            ours == theirs,
            "{who:?} {permission} {name}: casbin says {theirs}, the compiled rules {ours}"
        );
    }
    Ok(())
}

fn enforce(sample: &Sample, asked: &[(Principal, String, String)], enforces: u32) -> Result<f64> {
    let enforcer = runtime()?.block_on(sample.enforcer())?;
    let start = Instant::now();
    for (who, permission, name) in asked.iter().cycle().take(enforces as usize) {
        let tenant = who.identity().map_or("", |who| &who.tenant);
        black_box(enforcer.enforce((who.subject(), tenant, permission, name, ""))?);
    }
    Ok(start.elapsed().as_nanos() as f64 / f64::from(enforces))
}

/// Microseconds to take one changed rule in, and nanoseconds of the first check of each caller after it.
fn change(rules: &Rules, asked: &[(Principal, String, String)]) -> Result<(f64, f64)> {
    let (mut changes, mut firsts) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS as u64 {
        let rule = Rule {
            subject: format!("role:r{round}"),
            tenant: "*".to_owned(),
            permission: format!("m1.o1.extra{round}"),
            resource: "*".to_owned(),
            deny: false,
        };
        let update = PolicyUpdate {
            epoch: 2 + round,
            rules_added: vec![rule],
            ..PolicyUpdate::default()
        };
        let start = Instant::now();
        rules.apply(update)?;
        changes.push(start.elapsed().as_nanos() as f64 / 1e3);
        let start = Instant::now();
        for (who, permission, name) in asked {
            black_box(rules.check(black_box(who), permission, Resource { name, owner: None }));
        }
        firsts.push(start.elapsed().as_nanos() as f64 / asked.len() as f64);
    }
    Ok((Spread::of(changes).middle, Spread::of(firsts).middle))
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().build()?)
}

fn tenant(number: usize) -> String {
    match number % (TENANTS + 1) {
        0 => "*".to_owned(),
        number => format!("t{number}"),
    }
}

fn glob(glob: Dynamic, text: Dynamic) -> Dynamic {
    match (glob.into_string(), text.into_string()) {
        (Ok(glob), Ok(text)) => matches(&glob, &text).into(),
        _ => false.into(),
    }
}

fn within(tenant: &str, stated: &str) -> bool {
    stated == "*" || stated == tenant
}
