//! What builds would do to their tables, asked while no host runs: each is created, asked and dropped, and none is started.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bring_up::{create_finding, within};
use super::control::internal;
use super::decide::{Action, Scope};
use super::migrate::finding;
use super::{Settings, Supervisor};
use crate::domain::finding::Finding;
use crate::domain::migration::{MigrationRow, rows};
use crate::modules::control::ControlError;
use crate::modules::instance::Instance;
use crate::modules::open::Image;
use crate::ports::database::{Databases, On};
use crate::services::migrations::{MigrationError, applied, declared};

/// What the migrations of builds that would run come to.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// All of them, as in the status of a running host.
    pub rows: Vec<MigrationRow>,
    /// What is wrong with modules: nothing is known of the migrations of those that were refused.
    pub findings: Vec<Finding>,
}

impl Supervisor {
    /// Holds what every build that would run declares against what `databases` remember. Builds get the core services of this
    /// supervisor, which had better be in memory; `databases` are only read.
    ///
    /// # Errors
    /// `internal` when the databases or the state store do not answer.
    pub async fn preview_migrations(&self, databases: &dyn Databases) -> Result<Preview, ControlError> {
        let known: BTreeSet<String> = databases.known().await.map_err(|e| internal(&e))?.into_iter().collect();
        let (plan, decisions) = self.decide(&Scope::all()).await?;
        let settings = self.settings();
        let mut preview = Preview {
            rows: Vec::new(),
            findings: plan.findings,
        };
        for decision in decisions {
            let (image, section) = match decision.action {
                Action::Open { checked, section } => match self.open_library(&decision.id, *checked).await {
                    Ok(image) => (image, section),
                    Err(finding) => {
                        preview.findings.push(finding);
                        continue;
                    }
                },
                Action::Renew { image, section } => (*image, section),
                Action::Keep | Action::Skip { .. } | Action::TakeDown | Action::Refuse { .. } => continue,
            };
            match self.ask(image, section, &settings, databases, &known).await {
                Ok(rows) => preview.rows.extend(rows),
                Err(finding) => preview.findings.push(finding.about(&decision.id)),
            }
        }
        Ok(preview)
    }

    async fn ask(
        &self,
        image: Image,
        section: String,
        settings: &Settings,
        databases: &dyn Databases,
        known: &BTreeSet<String>,
    ) -> Result<Vec<MigrationRow>, Finding> {
        let (shared, limits) = (self.0.shared.clone(), settings.limits);
        let created = within(settings.start, "init", async move {
            Instance::create(image, section, &shared, limits).await
        });
        let instance = created.await.map_err(|fault| create_finding(&fault))?;
        let rows = rows_of(&instance, databases, known).await.map_err(|error| finding(&error));
        // Its drop is the module's code too.
        let dropped = within(settings.stop, "drop", async move {
            instance.retire();
            Ok(())
        });
        if let Err(fault) = dropped.await {
            tracing::warn!(error = %fault, "a build that was asked for its migrations did not end cleanly");
        }
        rows
    }
}

async fn rows_of(
    instance: &Arc<Instance>,
    databases: &dyn Databases,
    known: &BTreeSet<String>,
) -> Result<Vec<MigrationRow>, MigrationError> {
    let module = instance.standing.who.module.as_str();
    let declared = declared(module, &instance.migrations, databases.dialect())?;
    if !known.contains(module) {
        return Ok(rows(module, &declared, &[], false));
    }
    let unread = |source| MigrationError::Database {
        module: module.to_owned(),
        doing: "reading applied migrations",
        source: Box::new(source),
    };
    let space = databases.space(module).await.map_err(unread)?;
    let applied = applied(&space, On::Pool).await.map_err(unread)?;
    Ok(rows(module, &declared, &applied, false))
}
