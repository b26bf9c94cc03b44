//! What every command needs: the configuration, the host to talk to, and how to print.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use wharf_host::config::{Config, LoadOptions};
use wharf_host::telemetry::clean;

use super::args::Global;
use super::client::AdminClient;
use super::exit::{Exit, Failure};
use super::remote::{Logins, Remote};
use super::render;

/// Global options, ready to use.
#[derive(Debug)]
pub(crate) struct Context {
    config: Option<PathBuf>,
    socket: Option<PathBuf>,
    server: Option<String>,
    json: bool,
}

impl Context {
    pub(super) fn new(global: &Global) -> Self {
        Self {
            config: global.config.clone(),
            socket: global.socket.clone(),
            server: global.server.clone(),
            json: global.json,
        }
    }

    /// Whether a program reads the output.
    pub(super) fn json(&self) -> bool {
        self.json
    }

    /// Where the configuration is read from.
    pub(super) fn load_options(&self, dev: bool) -> LoadOptions {
        LoadOptions::from_process().with_file(self.config.clone(), dev)
    }

    /// Reads the configuration.
    pub(super) fn load_config(&self, dev: bool) -> Result<Config, Failure> {
        Ok(Config::load(&self.load_options(dev))?)
    }

    /// A host somewhere else: the one that was named, or where somebody logged in last.
    pub(super) fn remote(&self) -> Result<Remote, Failure> {
        if let Some(server) = &self.server {
            return Remote::new(server);
        }
        let logins = Logins::open()?;
        let server = logins.current().ok_or_else(|| {
            Failure::usage(
                "found no host to ask, expected --server URL",
                "or WHARF_SERVER in the environment, or log in with `wharf login`",
            )
        })?;
        Remote::new(server)
    }

    /// A client of the host that was named with --server, or else of the one whose socket was named, or is in the configuration.
    pub(super) fn client(&self) -> Result<AdminClient, Failure> {
        if let Some(server) = &self.server {
            return Ok(AdminClient::remote(Remote::new(server)?));
        }
        let socket = match &self.socket {
            Some(socket) => socket.clone(),
            None => self.load_config(false)?.admin_socket(),
        };
        Ok(AdminClient::new(socket))
    }

    /// Whether a command may do by itself what no host was there to do: not when it was to ask one somewhere else.
    pub(super) fn may_look_here(&self, failure: &Failure) -> bool {
        failure.exit == Exit::NoHost && self.server.is_none() && self.socket.is_none()
    }

    /// Prints a result: JSON for programs, what `human` makes of it for people.
    pub(super) fn emit<T: Serialize>(&self, value: &T, human: impl FnOnce(&T) -> String) {
        if self.json {
            print(&serde_json::to_string_pretty(value).unwrap_or_default());
        } else {
            print(human(value).trim_end());
        }
    }

    /// A line for people beside the result; programs do not see it.
    pub(super) fn note(&self, text: &str) {
        if !self.json {
            print_error(&format!(
                "{}note:{} {}",
                style(AnsiColor::Cyan),
                Style::new().render_reset(),
                clean(text)
            ));
        }
    }

    /// Says what is under way, if somebody is watching.
    pub(super) fn progress(&self, text: &str) {
        if !self.json && std::io::stderr().is_terminal() {
            print_error(&format!("{text} ..."));
        }
    }

    /// Prints why a command failed, on standard error.
    pub(super) fn report(&self, failure: &Failure) {
        if self.json {
            print_error(&serde_json::json!({ "error": failure }).to_string());
            return;
        }
        let reset = Style::new().render_reset();
        let mut lines = failure.message.lines();
        print_error(&format!(
            "{}error:{reset} {}",
            style(AnsiColor::Red),
            clean(lines.next().unwrap_or_default())
        ));
        for line in lines {
            print_error(&format!("       {}", clean(line)));
        }
        for finding in &failure.findings {
            print_error(&render::finding(finding));
        }
        if !failure.hint.is_empty() {
            print_error(&format!("{}hint:{reset} {}", style(AnsiColor::Cyan), clean(&failure.hint)));
        }
    }
}

/// Prints to standard output. A reader that has gone away is no failure. Colours go only to terminals that want them.
pub(super) fn print(text: &str) {
    drop(writeln!(anstream::stdout(), "{text}"));
}

/// Prints to standard error.
pub(super) fn print_error(text: &str) {
    drop(writeln!(anstream::stderr(), "{text}"));
}

fn style(colour: AnsiColor) -> anstyle::Style {
    Style::new().bold().fg_color(Some(colour.into()))
}
