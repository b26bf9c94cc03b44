//! `wharf dev`: builds a module at every change and swaps it in a running development host.
//!
//! What does not build, or what the host refuses, leaves the old build serving.

mod build;
mod swap;
mod watch;

use std::time::Instant;

use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use wharf_host::config::Setting;
use wharf_host::domain::status::HostStatus;

use super::args::DevArgs;
use super::client::AdminClient;
use super::context::{Context, print};
use super::exit::{Exit, Failure};
use build::{Built, Package};
use swap::Swapped;
use watch::Changes;

/// What happened, one line each.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Watching {
        folder: String,
    },
    BuildFailed,
    Swapped {
        module: &'a str,
        generation: u64,
        version: &'a str,
        /// From the end of the build until it serves.
        swap_ms: u64,
    },
    Unchanged {
        module: &'a str,
    },
    Refused {
        module: &'a str,
        why: String,
    },
}

pub(super) async fn run(args: &DevArgs, context: &Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let plugins = plugins_of(&client).await?;
    let package = Package::find(&args.name).await?;
    let mut changes = Changes::watch(&package, &plugins)?;
    // Listened to from the start: one that comes while a build runs must end that too.
    let mut interrupts =
        signal(SignalKind::interrupt()).map_err(|e| Failure::failed("cannot watch for signals", &e.to_string(), "try again"))?;
    say(
        context,
        &Event::Watching {
            folder: package.folder.display().to_string(),
        },
    );
    loop {
        let done = tokio::select! {
            done = round(args, context, &client, &package, &plugins) => done?,
            _ = interrupts.recv() => return Ok(Exit::Ok),
        };
        if args.once {
            return Ok(if done { Exit::Ok } else { Exit::Findings });
        }
        tokio::select! {
            more = changes.next() => if !more { return Ok(Exit::Ok) },
            _ = interrupts.recv() => return Ok(Exit::Ok),
        }
    }
}

/// One build and one swap; `false` when either did not work out. Only what a later change cannot mend is an error.
async fn round(
    args: &DevArgs,
    context: &Context,
    client: &AdminClient,
    package: &Package,
    plugins: &std::path::Path,
) -> Result<bool, Failure> {
    context.progress(&format!("building {}", package.name));
    let Built::Library(library) = build::build(package, args.release).await? else {
        say(context, &Event::BuildFailed);
        return Ok(false);
    };
    let built = Instant::now();
    // The id may have been edited since the last round.
    let id = package.module_id()?;
    let (event, done) = match swap::swap(client, &id, &library, plugins).await? {
        Swapped::Running(status) => {
            say(
                context,
                &Event::Swapped {
                    module: &id,
                    generation: status.generation,
                    version: &status.version,
                    swap_ms: u64::try_from(built.elapsed().as_millis()).unwrap_or(u64::MAX),
                },
            );
            return Ok(true);
        }
        Swapped::Unchanged => (Event::Unchanged { module: &id }, true),
        Swapped::Refused(why) => (Event::Refused { module: &id, why }, false),
    };
    say(context, &event);
    Ok(done)
}

/// The plugins folder of the running host, which must trust what was just built.
async fn plugins_of(client: &AdminClient) -> Result<std::path::PathBuf, Failure> {
    let settings: Vec<Setting> = client.get("/config/explain").await?;
    let value = |path: &str| {
        settings
            .iter()
            .find(|s| s.path == path)
            .and_then(|s| s.value.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let trust = value("plugins.trust.mode");
    if trust != "any" {
        return Err(Failure::new(
            Exit::Refused,
            "dev.trust",
            format!("the running host has plugins.trust.mode = {trust:?}, expected \"any\" for unsigned builds"),
            "start a host for development with `wharf serve --dev`",
        ));
    }
    let folder = std::path::PathBuf::from(value("plugins.dir"));
    if folder.is_absolute() {
        return Ok(folder);
    }
    // A relative path is relative to the host, which may have been started elsewhere.
    let status: HostStatus = client.get("/status").await?;
    let base = std::fs::read_link(format!("/proc/{}/cwd", status.pid)).unwrap_or_default();
    Ok(base.join(folder))
}

fn say(context: &Context, event: &Event<'_>) {
    if context.json() {
        print(&serde_json::to_string(event).unwrap_or_default());
        return;
    }
    let text = match event {
        Event::Watching { folder } => format!("watching {folder}"),
        Event::BuildFailed => "the build failed; the old one keeps serving".to_owned(),
        Event::Swapped {
            module,
            generation,
            version,
            swap_ms,
        } => format!(
            "{module} {version} runs as generation {generation}, {}.{} s after it was built",
            swap_ms / 1000,
            swap_ms % 1000 / 100
        ),
        Event::Unchanged { module } => format!("{module} is the build that runs already"),
        Event::Refused { module, why } => format!("{module} was refused; what ran before keeps serving\n{why}"),
    };
    print(&text);
}
