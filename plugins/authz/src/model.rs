//! casbin: what rules mean, and the form they are edited in. The host has a compiled form of its own, and a test that both
//! answer alike.

use casbin::function_map::OperatorFunction;
use casbin::rhai::Dynamic;
use casbin::{Adapter, CoreApi, DefaultModel, Enforcer, Filter, MgmtApi, Model as CasbinModel};
use wharf_proto::authz::{MODEL, matches};

use crate::error::{Error, Result};
use crate::line::{BindingLine, Change, EVERYWHERE, RuleLine};
use crate::store::Store;

/// Longest chain of bindings that casbin follows; edits keep to it.
pub(crate) const DEEPEST: usize = 10;

/// The rules in casbin.
pub(crate) struct Model(Enforcer);

/// The tables of this module, for casbin.
struct Tables(Store);

impl Model {
    /// Reads all rules and bindings.
    pub(crate) async fn load(store: &Store) -> Result<Self> {
        let model = DefaultModel::from_str(MODEL).await?;
        let mut enforcer = Enforcer::new_raw(model, Tables(store.clone())).await?;
        enforcer.add_function("glob", OperatorFunction::Arg2(glob));
        enforcer.get_role_manager().write().matching_fn(None, Some(within));
        enforcer.load_policy().await?;
        // Edits are written by `Store::write`, with their epoch; here they are only followed.
        enforcer.enable_auto_save(false);
        Ok(Self(enforcer))
    }

    /// All rules.
    pub(crate) fn rules(&self) -> impl Iterator<Item = RuleLine> {
        self.0.get_policy().into_iter().filter_map(|line| RuleLine::of_policy(&line))
    }

    /// All bindings.
    pub(crate) fn bindings(&self) -> impl Iterator<Item = BindingLine> {
        self.0
            .get_grouping_policy()
            .into_iter()
            .filter_map(|line| BindingLine::of_policy(&line))
    }

    /// Follows a change that was written.
    pub(crate) async fn follow(&mut self, change: &Change) -> Result<()> {
        for line in &change.rules_removed {
            self.0.remove_policy(line.to_policy()).await?;
        }
        for line in &change.rules_added {
            self.0.add_policy(line.to_policy()).await?;
        }
        // A link that is taken out of one domain stays in those it was copied to: they are all made again.
        self.0.enable_auto_build_role_links(change.bindings_removed.is_empty());
        for line in &change.bindings_removed {
            self.0.remove_grouping_policy(line.to_policy()).await?;
        }
        for line in &change.bindings_added {
            self.0.add_grouping_policy(line.to_policy()).await?;
        }
        if !change.bindings_removed.is_empty() {
            self.0.build_role_links()?;
        }
        Ok(())
    }

    /// Whether they may.
    pub(crate) fn enforce(&self, subject: &str, tenant: &str, permission: &str, resource: &str, owner: &str) -> Result<bool> {
        Ok(self.0.enforce((subject, tenant, permission, resource, owner))?)
    }

    /// Whether `member` holds `role` in `tenant`, however it comes to it.
    pub(crate) fn holds(&self, member: &str, role: &str, tenant: &str) -> bool {
        self.0.get_role_manager().read().has_link(member, role, Some(tenant))
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Model")
    }
}

#[wharf_sdk::tonic::async_trait]
impl Adapter for Tables {
    async fn load_policy(&mut self, model: &mut dyn CasbinModel) -> casbin::Result<()> {
        for line in self.0.rules().await.map_err(failed)? {
            model.add_policy("p", "p", line.to_policy());
        }
        for line in self.0.bindings().await.map_err(failed)? {
            model.add_policy("g", "g", line.to_policy());
        }
        Ok(())
    }

    async fn load_filtered_policy<'a>(&mut self, _: &mut dyn CasbinModel, _: Filter<'a>) -> casbin::Result<()> {
        Err(unsupported("reading a part of the rules"))
    }

    async fn save_policy(&mut self, _: &mut dyn CasbinModel) -> casbin::Result<()> {
        Err(unsupported("writing all rules at once"))
    }

    async fn clear_policy(&mut self) -> casbin::Result<()> {
        Err(unsupported("deleting all rules at once"))
    }

    fn is_filtered(&self) -> bool {
        false
    }

    async fn add_policy(&mut self, section: &str, kind: &str, rule: Vec<String>) -> casbin::Result<bool> {
        self.add_policies(section, kind, vec![rule]).await
    }

    async fn add_policies(&mut self, section: &str, _: &str, rules: Vec<Vec<String>>) -> casbin::Result<bool> {
        let mut change = Change::default();
        read_into(section, &rules, &mut change.rules_added, &mut change.bindings_added);
        self.write(change).await
    }

    async fn remove_policy(&mut self, section: &str, kind: &str, rule: Vec<String>) -> casbin::Result<bool> {
        self.remove_policies(section, kind, vec![rule]).await
    }

    async fn remove_policies(&mut self, section: &str, _: &str, rules: Vec<Vec<String>>) -> casbin::Result<bool> {
        let mut change = Change::default();
        read_into(section, &rules, &mut change.rules_removed, &mut change.bindings_removed);
        self.write(change).await
    }

    async fn remove_filtered_policy(&mut self, _: &str, _: &str, _: usize, _: Vec<String>) -> casbin::Result<bool> {
        Err(unsupported("deleting rules by a filter"))
    }
}

impl Tables {
    async fn write(&self, change: Change) -> casbin::Result<bool> {
        let work = async {
            let tx = self.0.begin().await?;
            let written = self.0.write(&tx, None, &change).await?;
            tx.commit().await?;
            Ok::<_, Error>(written.is_some())
        };
        work.await.map_err(failed)
    }
}

fn read_into(section: &str, lines: &[Vec<String>], rules: &mut Vec<RuleLine>, bindings: &mut Vec<BindingLine>) {
    if section == "p" {
        rules.extend(lines.iter().filter_map(|line| RuleLine::of_policy(line)));
    } else {
        bindings.extend(lines.iter().filter_map(|line| BindingLine::of_policy(line)));
    }
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> casbin::Error {
    casbin::error::AdapterError(Box::new(error)).into()
}

fn unsupported(what: &str) -> casbin::Error {
    failed(std::io::Error::other(format!(
        "{what} is not supported: edit with the services of authz"
    )))
}

fn glob(glob: Dynamic, text: Dynamic) -> Dynamic {
    match (glob.into_string(), text.into_string()) {
        (Ok(glob), Ok(text)) => matches(&glob, &text).into(),
        _ => false.into(),
    }
}

fn within(tenant: &str, stated: &str) -> bool {
    stated == EVERYWHERE || stated == tenant
}
