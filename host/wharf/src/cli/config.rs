//! `wharf config`: what the host would be told, and where that is written.

use serde::Serialize;
use wharf_host::config::{Config, ConfigError, Problem, Setting};
use wharf_host::telemetry::{Directives, clean};

use super::args::{ConfigArgs, ConfigCommand};
use super::context::{Context, print};
use super::exit::{Exit, Failure};
use super::render;

#[derive(Serialize)]
struct Report {
    ok: bool,
    problems: Vec<Problem>,
}

pub(super) async fn run(args: ConfigArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        ConfigCommand::Check { dev } => check(dev, context),
        ConfigCommand::Explain { running, dev } => {
            let settings: Vec<Setting> = if running {
                context.client()?.get("/config/explain").await?
            } else {
                context.load_config(dev)?.explain()
            };
            context.emit(&settings, |settings| {
                render::table(&["SETTING", "VALUE", "FROM"], settings.iter().map(row))
            });
            Ok(Exit::Ok)
        }
        ConfigCommand::Schema => {
            print(&serde_json::to_string_pretty(&Config::schema()).unwrap_or_default());
            Ok(Exit::Ok)
        }
    }
}

fn check(dev: bool, context: &Context) -> Result<Exit, Failure> {
    let problems = match Config::load(&context.load_options(dev)) {
        Ok(config) => log_problem(&config).into_iter().collect(),
        Err(ConfigError::Problems(problems)) => problems,
        Err(other) => return Err(other.into()),
    };
    let report = Report {
        ok: problems.is_empty(),
        problems,
    };
    context.emit(&report, |report| match report.problems.as_slice() {
        [] => "the configuration is sound".to_owned(),
        problems => problems.iter().map(|p| clean(&p.to_string()).into_owned() + "\n").collect(),
    });
    Ok(if report.ok { Exit::Ok } else { Exit::Findings })
}

/// The levels have a grammar of their own.
fn log_problem(config: &Config) -> Option<Problem> {
    let error = Directives::parse(&config.log.level).err()?;
    let source = config
        .explain()
        .into_iter()
        .find(|s| s.path == "log.level")
        .map(|s| s.source)
        .unwrap_or_default();
    Some(Problem {
        path: "log.level".to_owned(),
        what: error.to_string(),
        source,
        hint: "such as \"info,blog=debug\"".to_owned(),
    })
}

fn row(setting: &Setting) -> Vec<String> {
    let value = match &setting.value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    vec![setting.path.clone(), value, setting.source.clone()]
}
