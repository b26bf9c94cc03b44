//! `wharf users`.

use std::io::{IsTerminal, Read};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::super::pages::all;
use super::{listed, tabled, text};
use crate::cli::client::AdminClient;
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};

const USERS: &str = "wharf.identity.v1.Users";
/// Longest password that is read.
const LONGEST: u64 = 4096;

#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    /// People of a tenant
    List {
        /// Tenant [default: default]
        #[arg(long, default_value = "")]
        tenant: String,
        /// Only those in this state
        #[arg(long, value_parser = ["active", "invited", "suspended"])]
        status: Option<String>,
        /// Only those whose address or name contains this
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 1000)]
        limit: u32,
    },
    /// Make an account that is active at once
    Create {
        #[command(flatten)]
        new: NewPerson,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
        /// Mail a link that proves the address, instead of vouching for it
        #[arg(long)]
        verify: bool,
    },
    /// Make an account and mail its owner a link to set a password; for one that waits already, mail another link
    Invite {
        #[command(flatten)]
        new: NewPerson,
    },
    /// Everything about one account
    Show(WhichPerson),
    /// Take an account out of use; its sessions end
    Suspend(WhichPerson),
    /// Let an account be used again
    Activate(WhichPerson),
    /// Delete an account, with its memberships and roles
    Delete(WhichPerson),
}

/// Somebody who is not there yet.
#[derive(Debug, Args)]
pub(crate) struct NewPerson {
    /// E-mail address
    email: String,
    /// For people to read
    #[arg(long, default_value = "")]
    name: String,
    /// Tenant [default: default]
    #[arg(long, default_value = "")]
    tenant: String,
}

/// Somebody who is there.
#[derive(Debug, Args)]
pub(crate) struct WhichPerson {
    /// Id or e-mail address
    user: String,
    /// Tenant of the address [default: default]
    #[arg(long, default_value = "")]
    tenant: String,
}

pub(in crate::cli) async fn run(context: &Context, command: &UsersCommand) -> Result<Exit, Failure> {
    let client = context.client()?;
    match command {
        UsersCommand::List {
            tenant,
            status,
            search,
            limit,
        } => {
            let asked = json!({ "tenant": tenant, "status": status.as_deref().unwrap_or_default(), "search": search.as_deref().unwrap_or_default() });
            let rows = all(&client, USERS, "List", asked, "users", *limit).await?;
            let columns = [
                ("ID", "id"),
                ("EMAIL", "email"),
                ("NAME", "name"),
                ("STATUS", "status"),
                ("TENANT", "tenant"),
            ];
            context.emit(&rows, |rows| tabled("no users", rows, &columns));
        }
        UsersCommand::Create {
            new,
            password_stdin,
            verify,
        } => create(context, &client, new, *password_stdin, *verify).await?,
        UsersCommand::Invite { new } => {
            let asked = json!({ "tenant": new.tenant, "email": new.email, "name": new.name });
            let user: Value = client.rpc(USERS, "Invite", &asked).await?;
            context.emit(&user, |user| {
                format!("{} was invited by mail; the account is {}", text(user, "email"), text(user, "id"))
            });
        }
        UsersCommand::Show(which) => context.emit(&find(&client, which).await?, listed),
        UsersCommand::Suspend(which) => set_status(context, &client, which, "suspended").await?,
        UsersCommand::Activate(which) => set_status(context, &client, which, "active").await?,
        UsersCommand::Delete(which) => {
            let user = find(&client, which).await?;
            let _: Value = client.rpc(USERS, "Delete", &json!({ "id": text(&user, "id") })).await?;
            context.emit(&user, |user| format!("{} was deleted", who(user)));
        }
    }
    Ok(Exit::Ok)
}

async fn create(context: &Context, client: &AdminClient, new: &NewPerson, password_stdin: bool, verify: bool) -> Result<(), Failure> {
    let password = match password_stdin {
        true => read_password(&mut std::io::stdin().lock(), std::io::stdin().is_terminal())?,
        false => String::new(),
    };
    let asked = json!({
        "tenant": new.tenant, "email": new.email, "name": new.name, "password": password, "emailVerified": !verify,
    });
    let user: Value = client.rpc(USERS, "Create", &asked).await?;
    context.emit(&user, |user| {
        format!("{} was made; the account is {}", text(user, "email"), text(user, "id"))
    });
    if !password_stdin {
        context.note("it has no password: `wharf users invite` would have mailed a link, and `--password-stdin` sets one");
    }
    Ok(())
}

async fn set_status(context: &Context, client: &AdminClient, which: &WhichPerson, status: &str) -> Result<(), Failure> {
    let user = find(client, which).await?;
    let asked = json!({ "id": text(&user, "id"), "status": status });
    let user: Value = client.rpc(USERS, "SetStatus", &asked).await?;
    context.emit(&user, |user| format!("{} is {status}", who(user)));
    Ok(())
}

async fn find(client: &AdminClient, which: &WhichPerson) -> Result<Value, Failure> {
    let user = which.user.strip_prefix("user:").unwrap_or(&which.user);
    let asked = match user.contains('@') {
        true => json!({ "email": user, "tenant": which.tenant }),
        false => json!({ "id": user }),
    };
    client.rpc(USERS, "Get", &asked).await
}

fn who(user: &Value) -> &str {
    match text(user, "email") {
        "" => text(user, "id"),
        email => email,
    }
}

/// A terminal would show what is typed.
pub(in crate::cli) fn read_password(from: &mut impl Read, is_terminal: bool) -> Result<String, Failure> {
    if is_terminal {
        return Err(Failure::usage(
            "found a terminal on standard input, which shows what is typed; expected the password from a file or a pipe",
            "`wharf users create EMAIL --password-stdin < FILE`, or `wharf users invite EMAIL`",
        ));
    }
    let mut password = String::new();
    from.take(LONGEST)
        .read_to_string(&mut password)
        .map_err(|error| Failure::failed("cannot read standard input", &error.to_string(), ""))?;
    let password = password.trim_end_matches(['\r', '\n']).to_owned();
    if password.is_empty() {
        return Err(Failure::usage("found nothing on standard input, expected the password", ""));
    }
    Ok(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_comes_from_a_pipe_without_its_line_end_and_never_from_a_terminal() {
        let read = |text: &str, is_terminal| read_password(&mut text.as_bytes(), is_terminal).ok();
        assert_eq!(read("correct horse \n", false).as_deref(), Some("correct horse "));
        assert_eq!(read("\n", false), None);
        assert_eq!(read("correct horse", true), None);
    }
}
