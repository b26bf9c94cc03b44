//! `wharf keys` and `wharf sign`.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{KeysArgs, KeysCommand, SignArgs};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::offline::{self, PublicKey};

/// What `keys new` made.
#[derive(Serialize)]
struct NewKey {
    #[serde(flatten)]
    key: PublicKey,
    file: PathBuf,
}

/// What `sign` made.
#[derive(Serialize)]
struct Signed {
    library: PathBuf,
    signature: PathBuf,
}

pub(super) fn run(args: KeysArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        KeysCommand::New { id, out } => {
            let file = out.unwrap_or_else(|| PathBuf::from(format!("{id}.key")));
            let made = NewKey {
                key: offline::new_key(&id, &file).map_err(failed)?,
                file,
            };
            context.emit(&made, |made| {
                let file = made.file.display();
                format!(
                    "wrote the private key to {file}: keep it where builds are signed, never on a host\n\n{}",
                    section(&made.key)
                )
            });
        }
        KeysCommand::Show { key } => {
            let key = offline::read_key(&key).map_err(failed)?;
            context.emit(&key, section);
        }
    }
    Ok(Exit::Ok)
}

pub(super) fn sign(args: &SignArgs, context: &Context) -> Result<Exit, Failure> {
    let config = context.load_config(false)?;
    let signed = Signed {
        library: args.file.clone(),
        signature: offline::sign(&args.file, &args.key, &config).map_err(failed)?,
    };
    context.emit(&signed, |signed| format!("wrote {}", display(&signed.signature)));
    Ok(Exit::Ok)
}

/// What belongs in the configuration of hosts that trust the key.
fn section(key: &PublicKey) -> String {
    format!("[[plugins.trust.keys]]\nid = {:?}\npublic = {:?}", key.id, key.public)
}

/// No host refused anything here.
fn failed(error: wharf_host::modules::control::ControlError) -> Failure {
    Failure {
        exit: Exit::Failed,
        ..error.into()
    }
}

fn display(path: &Path) -> String {
    wharf_host::telemetry::clean(&path.display().to_string()).into_owned()
}
