//! Brings a module's tables to where its build wants them: after its creation, before its start.

use std::sync::Arc;

use semver::Version;

use super::Supervisor;
use super::control::internal;
use super::slot::Slot;
use crate::domain::finding::{Finding, kind};
use crate::domain::migration::{MigrationRow, rows};
use crate::domain::status::State;
use crate::modules::control::ControlError;
use crate::modules::instance::Instance;
use crate::services::migrations::{MigrationError, Migrator};

/// A node that has not said anything for so long is not there.
const SILENCE: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);

impl Supervisor {
    /// Runs the migrations that are due. No code of the module runs meanwhile.
    pub(super) async fn migrate(&self, instance: &Arc<Instance>) -> Result<(), Finding> {
        let Some(migrator) = migrator(instance).map_err(|finding| *finding)? else {
            return Ok(());
        };
        let who = &instance.standing.who;
        let older = self.older_is_alive(instance).await.map_err(|error| {
            Finding::new(
                &kind::MIGRATION_FAILED,
                format!("{}: the state of other nodes is not known: {}", who.module, error.message),
            )
        })?;
        let outcome = migrator.run(older).await.map_err(|error| finding(&error))?;
        for name in &outcome.applied {
            tracing::info!(
                module.id = who.module,
                module.version = who.version,
                migration = name,
                "migration applied"
            );
        }
        if !outcome.waiting.is_empty() {
            let waiting = outcome.waiting.join(", ");
            instance
                .standing
                .message("info", format!("migrations wait until no older version is alive: {waiting}"));
        }
        Ok(())
    }

    /// Tries again what waited for an instance that has ended, for whichever serves now: the one that took its place may be replaced already.
    pub(super) async fn migrate_later(&self, slot: &Slot) {
        let Some(running) = slot.running() else { return };
        let instance = running.instance.clone();
        if instance.migrations.migrations.is_empty() || instance.standing.is_retired() {
            return;
        }
        if let Err(finding) = self.migrate(&instance).await {
            tracing::warn!(
                module.id = instance.standing.who.module,
                finding = finding.code,
                error = finding.what,
                "migrations that waited did not run"
            );
            instance.standing.message("warn", finding.what);
        }
    }

    /// Whether an older version of the module is in use on any node, this one included.
    async fn older_is_alive(&self, instance: &Arc<Instance>) -> Result<bool, ControlError> {
        let who = &instance.standing.who;
        let is_older = |version: &str| match (Version::parse(version), Version::parse(&who.version)) {
            (Ok(found), Ok(ours)) => found < ours,
            _ => version != who.version,
        };
        let here = self.slots().get(&who.module).cloned();
        let is_older_here = |slot: &Slot| {
            let serves = slot
                .running()
                .is_some_and(|running| is_older(&running.instance.standing.who.version));
            serves || slot.ending().iter().any(|version| is_older(version))
        };
        if here.is_some_and(|slot| is_older_here(&slot)) {
            return Ok(true);
        }
        let state = &self.0.state;
        let nodes = state.nodes().await.map_err(|e| internal(&e))?;
        let now = jiff::Timestamp::now();
        let is_silent = |node: &str| nodes.iter().any(|beat| beat.node == node && now.duration_since(beat.at) > SILENCE);
        let reports = state.reports().await.map_err(|e| internal(&e))?;
        Ok(reports.iter().any(|report| {
            report.module == who.module
                && report.node != self.0.shared.node
                && !matches!(report.state, State::Stopped | State::Disabled | State::Failed | State::Discovered)
                && is_older(&report.version)
                && !is_silent(&report.node)
        }))
    }

    /// All migrations of the modules that run.
    ///
    /// # Errors
    /// `internal` when a database does not answer, `migration.refused` for a list that cannot be right.
    pub async fn migrations(&self) -> Result<Vec<MigrationRow>, ControlError> {
        let mut all = Vec::new();
        for (slot, running) in self.running() {
            let Some(migrator) = migrator(&running.instance).map_err(|finding| refused(&finding))? else {
                continue;
            };
            let applied = migrator.applied().await.map_err(|error| refused(&finding(&error)))?;
            let older = self.older_is_alive(&running.instance).await?;
            all.extend(rows(&slot.id, migrator.declared(), &applied, older));
        }
        Ok(all)
    }

    /// Runs what is due in the modules that run, or in one of them: those that waited for older versions.
    ///
    /// # Errors
    /// `module.unknown`, `migration.refused`, `internal`.
    pub async fn migrate_now(&self, module: Option<&str>) -> Result<Vec<MigrationRow>, ControlError> {
        if let Some(id) = module {
            self.module_status(id)?;
        }
        let _changing = self.0.changing.lock().await;
        for (slot, running) in self.running() {
            if module.is_none_or(|id| id == slot.id) {
                self.migrate(&running.instance).await.map_err(|finding| refused(&finding))?;
            }
        }
        let mut all = self.migrations().await?;
        all.retain(|row| module.is_none_or(|id| id == row.module));
        Ok(all)
    }
}

fn migrator(instance: &Arc<Instance>) -> Result<Option<Migrator>, Box<Finding>> {
    let who = &instance.standing.who;
    if instance.migrations.migrations.is_empty() && instance.space().is_none() {
        return Ok(None);
    }
    let Some(space) = instance.space() else {
        return Err(Box::new(Finding::new(
            &kind::MIGRATION_REFUSED,
            format!(
                "{} declares migrations and has no database; add `database = 1` under [services] in wharf.toml",
                who.module
            ),
        )));
    };
    Migrator::new(space, &who.module, &who.version, &instance.migrations)
        .map(Some)
        .map_err(|error| Box::new(finding(&error)))
}

pub(super) fn finding(error: &MigrationError) -> Finding {
    let kind = match error {
        MigrationError::Refused { .. } => &kind::MIGRATION_REFUSED,
        MigrationError::Statement { .. } | MigrationError::Database { .. } => &kind::MIGRATION_FAILED,
    };
    Finding::new(kind, error.to_string())
}

fn refused(finding: &Finding) -> ControlError {
    ControlError {
        code: "migration.refused".to_owned(),
        message: finding.what.clone(),
        hint: finding.fix.clone(),
        findings: vec![finding.clone()],
    }
}
