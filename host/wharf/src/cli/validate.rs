//! Second stage: whether what was typed makes sense, before anything is read, asked or changed.

use std::net::SocketAddr;

use wharf_host::config::is_module_id;
use wharf_host::telemetry::Directives;

use super::args::{Command, LogCommand, ModulesCommand};
use super::exit::Failure;

/// Checks every argument that has a form of its own.
pub(super) fn check(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Serve(args) => args.listen.as_deref().map_or(Ok(()), address),
        Command::Modules(args) => match &args.command {
            ModulesCommand::Show { id }
            | ModulesCommand::Enable { id }
            | ModulesCommand::Disable { id, .. }
            | ModulesCommand::Pin { id, .. }
            | ModulesCommand::Unpin { id }
            | ModulesCommand::Reload { id } => module_id(id),
            ModulesCommand::List | ModulesCommand::Check { .. } | ModulesCommand::Plan | ModulesCommand::Rescan => Ok(()),
        },
        Command::Log(args) => match &args.command {
            LogCommand::Set { directives } if directives.trim() != "reset" => self::directives(directives),
            _ => Ok(()),
        },
        Command::New(args) => module_id(&args.name).map_err(|failure| Failure {
            hint: "such as guestbook or my-blog".to_owned(),
            ..failure
        }),
        _ => Ok(()),
    }
}

fn module_id(id: &str) -> Result<(), Failure> {
    if is_module_id(id) {
        return Ok(());
    }
    Err(Failure::usage(
        format!("found module id {id:?}, expected a lower-case letter, then at most 39 lower-case letters, digits or -"),
        "`wharf modules list` shows the ids there are",
    ))
}

fn address(text: &str) -> Result<(), Failure> {
    match text.parse::<SocketAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(Failure::usage(
            format!("found --listen {text:?}, expected an address with a port"),
            "such as 127.0.0.1:8080 or [::1]:8080",
        )),
    }
}

fn directives(text: &str) -> Result<(), Failure> {
    Directives::parse(text)
        .map(drop)
        .map_err(|e| Failure::usage(e.to_string(), "such as info,blog=debug; `reset` goes back to the configured levels"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use clap::{CommandFactory, Parser};

    use super::super::args::Cli;
    use super::*;

    #[test]
    fn clap_finds_no_mistake_in_the_definition() {
        Cli::command().debug_assert();
    }

    #[test]
    fn senseless_arguments_are_found_before_anything_is_done() {
        let outcome = |line: &str| check(&Cli::try_parse_from(line.split(' ')).unwrap().command);
        for line in [
            "wharf modules show Blog",
            "wharf serve --listen 8080",
            "wharf log set loud",
            "wharf new 9lives",
        ] {
            let failure = outcome(line).unwrap_err();
            assert_eq!(failure.code, "usage", "{line}");
            assert!(failure.message.contains("found") && !failure.hint.is_empty(), "{line}: {failure:?}");
        }
        for line in [
            "wharf modules show blog",
            "wharf serve --listen [::1]:0",
            "wharf log set reset",
            "wharf log set blog=debug",
        ] {
            assert!(outcome(line).is_ok(), "{line}");
        }
    }
}
