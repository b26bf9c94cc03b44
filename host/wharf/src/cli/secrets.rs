//! `wharf secrets`: values go in from standard input and never come out.
//!
//! It works on the host's database, whether a host runs or not, and so needs to run as the host's user.

use std::io::{IsTerminal, Read};

use serde::Serialize;
use wharf_host::ports::secrets::{LONGEST, SecretBytes, SecretError};

use super::args::{SecretsArgs, SecretsCommand};
use super::context::Context;
use super::exit::{Exit, Failure, told};
use crate::wiring;

/// What `set` and `delete` did.
#[derive(Serialize)]
struct Done<'a> {
    module: &'a str,
    name: &'a str,
    done: &'static str,
}

/// What `rotate-key` did.
#[derive(Serialize)]
struct Rotated {
    key: String,
    sealed: usize,
}

pub(super) async fn run(args: SecretsArgs, context: &Context) -> Result<Exit, Failure> {
    let config = context.load_config(false)?;
    match args.command {
        SecretsCommand::Set { module, name } => {
            check_names(&module, &name)?;
            let value = read_value(&mut std::io::stdin().lock(), std::io::stdin().is_terminal())?;
            let vault = wiring::open_vault(&config).await.map_err(|error| unreadable(&*error))?;
            vault.set(&module, &name, &value).await.map_err(|error| failed(&error))?;
            done(context, &module, &name, "set");
        }
        SecretsCommand::List => {
            let vault = wiring::open_vault(&config).await.map_err(|error| unreadable(&*error))?;
            let listed = vault.list().await.map_err(|error| failed(&error))?;
            context.emit(&listed, |listed| {
                let lines: Vec<_> = listed
                    .iter()
                    .map(|secret| format!("{}  {}  key {}  {}", secret.module, secret.name, secret.key, secret.changed))
                    .collect();
                if lines.is_empty() {
                    "no secrets are stored here".to_owned()
                } else {
                    lines.join("\n")
                }
            });
        }
        SecretsCommand::Delete { module, name } => {
            let vault = wiring::open_vault(&config).await.map_err(|error| unreadable(&*error))?;
            if !vault.delete(&module, &name).await.map_err(|error| failed(&error))? {
                let message = format!("there is no secret {name} of {module}");
                return Err(Failure::new(
                    Exit::Refused,
                    "secret.unknown",
                    message,
                    "`wharf secrets list` shows what is stored",
                ));
            }
            done(context, &module, &name, "deleted");
        }
        SecretsCommand::RotateKey { reseal_only } => {
            let vault = wiring::open_vault(&config).await.map_err(|error| unreadable(&*error))?;
            let sealed = if reseal_only { vault.reseal().await } else { vault.rotate().await };
            let rotated = Rotated {
                sealed: sealed.map_err(|error| failed(&error))?,
                key: vault.key_id().map_err(|error| failed(&error))?,
            };
            context.emit(&rotated, |rotated| {
                format!("key {} seals now; {} secrets were sealed again", rotated.key, rotated.sealed)
            });
        }
    }
    Ok(Exit::Ok)
}

fn done(context: &Context, module: &str, name: &str, what: &'static str) {
    let done = Done { module, name, done: what };
    context.emit(&done, |done| format!("secret {} of {} was {}", done.name, done.module, done.done));
}

/// A terminal would show what is typed.
fn read_value(from: &mut impl Read, is_terminal: bool) -> Result<SecretBytes, Failure> {
    if is_terminal {
        return Err(Failure::usage(
            "found a terminal on standard input, which shows what is typed; expected the value from a file or a pipe",
            "`wharf secrets set MODULE NAME < FILE`",
        ));
    }
    // Room for all of it: growing would leave copies behind.
    let mut bytes = Vec::with_capacity(LONGEST + 64);
    let read = from.take(LONGEST as u64 + 2).read_to_end(&mut bytes);
    let value = SecretBytes::new(bytes).without_line_end();
    read.map_err(|error| Failure::failed("cannot read standard input", &error.to_string(), ""))?;
    if value.reveal().is_empty() {
        let message = "found nothing on standard input, expected the value";
        return Err(Failure::usage(message, "`wharf secrets delete MODULE NAME` forgets a secret"));
    }
    Ok(value)
}

/// What it is, the word, and whether that is one.
type Rule<'a> = (&'a str, &'a str, fn(&str) -> bool);

fn check_names(module: &str, name: &str) -> Result<(), Failure> {
    let rules: [Rule<'_>; 2] = [
        ("module", module, wharf_manifest::is_module_id),
        ("name", name, wharf_manifest::is_secret_name),
    ];
    for (what, word, is_fine) in rules {
        if !is_fine(word) {
            let message = format!("found {what} {word:?}, expected lower-case letters, digits and -, as in the module's wharf.toml");
            return Err(Failure::usage(message, "such as `wharf secrets set blog stripe-key < FILE`"));
        }
    }
    Ok(())
}

fn failed(error: &SecretError) -> Failure {
    let hint = match error {
        SecretError::File { .. } => {
            "run this as the host's user; nodes that share a database get their master key from you: see docs/operations/secrets.md"
        }
        _ => "see docs/operations/secrets.md",
    };
    Failure::new(Exit::Failed, "secret.failed", told(error), hint)
}

fn unreadable(error: &(dyn std::error::Error + 'static)) -> Failure {
    let hint = "run this as the host's user, or name the configuration with --config";
    Failure::new(Exit::Failed, "internal.state", told(error), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_from_a_pipe_without_its_line_end_and_never_from_a_terminal() {
        let read = |text: &str, is_terminal| read_value(&mut text.as_bytes(), is_terminal);
        assert_eq!(
            read("canary\n", false).map(|value| value.reveal().to_vec()).ok(),
            Some(b"canary".to_vec())
        );
        for failure in [read("", false), read("\n", false), read("canary", true)] {
            let failure = failure.err().map(|failure| format!("{failure:?}")).unwrap_or_default();
            assert!(failure.contains("standard input") && !failure.contains("canary"), "{failure}");
        }
        assert!(check_names("blog", "stripe-key").is_ok());
        assert!(check_names("Blog", "a").is_err() && check_names("blog", "../a").is_err() && check_names("blog", "a-file").is_err());
    }
}
