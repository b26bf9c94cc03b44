//! `wharf modules`: what there is, what would happen, and changes.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;
use wharf_host::domain::finding::Severity;
use wharf_host::domain::status::ModuleStatus;
use wharf_host::modules::control::{PinnedBuild, Plan, PlannedModule};

use super::args::{ModulesArgs, ModulesCommand};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::{offline, render};

/// What `list --json` prints.
#[derive(Serialize)]
#[serde(untagged)]
enum Listing {
    Running { running: bool, modules: Vec<ModuleStatus> },
    Stopped { running: bool, modules: Vec<PlannedModule> },
}

pub(super) async fn run(args: ModulesArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        ModulesCommand::List => list(context).await,
        ModulesCommand::Show { id } => show(&id, context).await,
        ModulesCommand::Check { paths } => check(paths, context).await,
        ModulesCommand::Plan => plan(context).await,
        ModulesCommand::Pin { id, version, hash } => pin(&id, PinnedBuild { version, hash }, context).await,
        ModulesCommand::Unpin { id } => set_pin(&id, &PinnedBuild::default(), context).await,
        ModulesCommand::Rescan => rescan(context).await,
        ModulesCommand::Enable { id } => change(&format!("/modules/{id}/enable"), &format!("enabling {id}"), context).await,
        ModulesCommand::Disable { id, force } => {
            change(&format!("/modules/{id}/disable?force={force}"), &format!("disabling {id}"), context).await
        }
        ModulesCommand::Reload { id } => change(&format!("/modules/{id}/reload"), &format!("reloading {id}"), context).await,
    }
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let listing = match context.client()?.get("/modules").await {
        Ok(modules) => Listing::Running { running: true, modules },
        Err(failure) if failure.exit == Exit::NoHost => Listing::Stopped {
            running: false,
            modules: plan_here(context, &failure).await?.order,
        },
        Err(failure) => return Err(failure),
    };
    context.emit(&listing, |listing| match listing {
        Listing::Running { modules, .. } => render::modules(modules, Timestamp::now()),
        Listing::Stopped { modules, .. } => render::plan(&Plan {
            order: modules.clone(),
            findings: Vec::new(),
        }),
    });
    Ok(Exit::Ok)
}

async fn show(id: &str, context: &Context) -> Result<Exit, Failure> {
    let module: ModuleStatus = context.client()?.get(&format!("/modules/{id}")).await?;
    context.emit(&module, |module| render::module(module, Timestamp::now()));
    Ok(Exit::Ok)
}

async fn check(paths: Vec<PathBuf>, context: &Context) -> Result<Exit, Failure> {
    let plan = if paths.is_empty() {
        plan_anywhere(context).await?
    } else {
        offline::check(&context.load_config(false)?, &paths)
    };
    context.emit(&plan, render::checked);
    Ok(verdict(&plan))
}

async fn plan(context: &Context) -> Result<Exit, Failure> {
    let plan = plan_anywhere(context).await?;
    context.emit(&plan, render::plan);
    Ok(verdict(&plan))
}

async fn pin(id: &str, pin: PinnedBuild, context: &Context) -> Result<Exit, Failure> {
    if pin != PinnedBuild::default() {
        return set_pin(id, &pin, context).await;
    }
    let module: ModuleStatus = context.client()?.get(&format!("/modules/{id}")).await?;
    if module.generation == 0 {
        return Err(Failure::usage(
            format!("{id} does not run, so there is no build to pin it to"),
            "name one with --version or --hash",
        ));
    }
    let running = PinnedBuild {
        version: Some(module.version),
        hash: module.hash,
    };
    set_pin(id, &running, context).await
}

async fn set_pin(id: &str, pin: &PinnedBuild, context: &Context) -> Result<Exit, Failure> {
    let module: ModuleStatus = context.client()?.put(&format!("/modules/{id}/pin"), pin).await?;
    context.emit(&module, |module| format!("{}: {}", module.id, render::wanted(module)));
    Ok(Exit::Ok)
}

async fn rescan(context: &Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    context.progress("looking at the plugins folder");
    let done: Plan = client.post("/rescan").await?;
    context.emit(&done, render::plan);
    Ok(verdict(&done))
}

/// A change takes as long as starting, draining and stopping take; somebody who watches is told.
async fn change(path: &str, doing: &str, context: &Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    context.progress(doing);
    let module: ModuleStatus = client.post(path).await?;
    context.emit(&module, |module| render::modules(std::slice::from_ref(module), Timestamp::now()));
    Ok(Exit::Ok)
}

/// The plan of the running host, which knows what runs; without one, of the folder alone.
async fn plan_anywhere(context: &Context) -> Result<Plan, Failure> {
    match context.client()?.get("/plan").await {
        Err(failure) if failure.exit == Exit::NoHost => plan_here(context, &failure).await,
        answer => answer,
    }
}

async fn plan_here(context: &Context, why: &Failure) -> Result<Plan, Failure> {
    let config = context.load_config(false)?;
    context.note(&format!("{}; reading {} instead", why.message, config.plugins_dir().display()));
    Ok(offline::plan(&config).await?)
}

fn verdict(plan: &Plan) -> Exit {
    if plan.findings.iter().any(|finding| finding.severity == Severity::Error) {
        Exit::Findings
    } else {
        Exit::Ok
    }
}
