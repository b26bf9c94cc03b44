//! First stage: what may be typed. Nothing is looked up here.
//!
//! Long because it is one list: every command and option of the program, as its help shows them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::exit::EXIT_CODES;

/// A host that feature modules, built as shared libraries, are dropped into while it runs.
#[derive(Debug, Parser)]
#[command(name = "wharf", version, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Configuration file [default: wharf-host.toml, if there is one]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
    /// Admin socket of the host to talk to [default: the one the configuration names]
    #[arg(long, global = true, value_name = "PATH")]
    pub(crate) socket: Option<PathBuf>,
    /// A host somewhere else, such as https://wharf.example.org, in the name of whoever is logged in there
    #[arg(long, global = true, value_name = "URL", env = "WHARF_SERVER", conflicts_with = "socket")]
    pub(crate) server: Option<String>,
    /// Print JSON for programs; failures are JSON on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the host
    Serve(ServeArgs),
    /// Show and change modules
    Modules(ModulesArgs),
    /// Show all routes that are served
    Routes,
    /// Show and run the migrations of modules
    Migrate(MigrateArgs),
    /// Show events and what became of them; try, replay and delete deliveries
    Events(EventsArgs),
    /// Show, run and pause jobs
    Jobs(JobsArgs),
    /// Show the database spaces of modules
    Db(DbArgs),
    /// Show what modules keep as blobs, and how much they may
    Blobs,
    /// Check, explain or describe the configuration
    Config(ConfigArgs),
    /// Show the mail of modules, and try dead ones again
    Mail {
        #[command(subcommand)]
        command: super::mail::MailCommand,
    },
    /// Show or change log levels of the running host
    Log(LogArgs),
    /// Show what requests, events and jobs did, as trees
    Traces {
        #[command(subcommand)]
        command: super::traces::TracesCommand,
    },
    /// Roles and rules: who may what, and why
    Authz {
        #[command(subcommand)]
        command: super::authz::AuthzCommand,
    },
    /// Make and show signing keys
    Keys(KeysArgs),
    /// Sign a library; writes FILE.sig
    Sign(SignArgs),
    /// Keep values that modules may read and nobody may see
    Secrets(SecretsArgs),
    /// Log in at a host somewhere else: in a browser, or with an API key
    Login(LoginArgs),
    /// End the login at a host somewhere else
    Logout,
    /// Say who is logged in at a host somewhere else
    Whoami,
    /// Make, show and revoke API keys
    ApiKeys {
        #[command(subcommand)]
        command: super::api_keys::ApiKeysCommand,
    },
    /// Show and end sessions
    Sessions {
        #[command(subcommand)]
        command: super::sessions::SessionsCommand,
    },
    /// Become administrator of a host
    Admin {
        #[command(subcommand)]
        command: super::people::AdminCommand,
    },
    /// Accounts of people
    Users {
        #[command(subcommand)]
        command: super::people::UsersCommand,
    },
    /// Groups of accounts
    Groups {
        #[command(subcommand)]
        command: super::people::GroupsCommand,
    },
    /// Accounts of programs
    ServiceAccounts {
        #[command(subcommand)]
        command: super::people::ServiceAccountsCommand,
    },
    /// Tenants that share this installation
    Tenants {
        #[command(subcommand)]
        command: super::people::TenantsCommand,
    },
    /// Who did what: read the record, verify and export it
    Audit {
        #[command(subcommand)]
        command: super::audit::AuditCommand,
    },
    /// Data to try things with
    Demo {
        #[command(subcommand)]
        command: super::demo::DemoCommand,
    },
    /// Make a new module
    New(NewArgs),
    /// Build a module at every change and swap it in a running `wharf serve --dev`
    Dev(DevArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Look for what would keep a host from running well
    Doctor,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Any trust, watching, auto-enable; loopback addresses only
    #[arg(long)]
    pub(crate) dev: bool,
    /// Address of the public listener, such as 127.0.0.1:8080
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ModulesArgs {
    #[command(subcommand)]
    pub(crate) command: ModulesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModulesCommand {
    /// All modules; with no host running, what the plugins folder holds
    List,
    /// Everything about one module
    Show {
        /// Module id
        id: String,
    },
    /// Check libraries without running any of their code
    Check {
        /// Libraries to check alone [default: the plugins folder]
        paths: Vec<PathBuf>,
    },
    /// What would happen if the plugins folder were loaded now
    Plan,
    /// Want a module, and load it
    Enable {
        /// Module id
        id: String,
    },
    /// Drain and stop a module, and keep it stopped
    Disable {
        /// Module id
        id: String,
        /// Even if other modules need it
        #[arg(long)]
        force: bool,
    },
    /// Let only one build of a module be loaded from now on; what runs goes on
    #[command(disable_version_flag = true)]
    Pin {
        /// Module id
        id: String,
        /// Only this version [default, with no --hash: version and hash of what runs]
        #[arg(long)]
        version: Option<String>,
        /// Only the file with this SHA-256
        #[arg(long)]
        hash: Option<String>,
    },
    /// Let any build of a module be loaded again
    Unpin {
        /// Module id
        id: String,
    },
    /// Look at the plugins folder again: load what is new, replace what changed
    Rescan,
    /// Load the file that is in the folder now beside the running build, and swap
    Reload {
        /// Module id
        id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    #[command(subcommand)]
    pub(crate) command: EventsCommand,
}

/// Which deliveries.
#[derive(Debug, Args)]
pub(crate) struct WhichDeliveries {
    /// Only of this module
    #[arg(long, value_name = "ID")]
    pub(crate) module: Option<String>,
    /// Only of this subscription
    #[arg(long, value_name = "NAME")]
    pub(crate) subscription: Option<String>,
    /// Only in this state
    #[arg(long, value_parser = ["waiting", "leased", "dead"])]
    pub(crate) state: Option<String>,
    /// Only this delivery
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,
    /// At most so many [default: 100]
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Deliveries that wait, run or failed too often; with --published the events themselves
    List {
        #[command(flatten)]
        which: WhichDeliveries,
        /// Published events instead of deliveries
        #[arg(long)]
        published: bool,
        /// Only events of this subject; with --published
        #[arg(long = "type", value_name = "SUBJECT", requires = "published")]
        event_type: Option<String>,
    },
    /// Everything about one delivery, with the errors of each try, or about one event
    Show {
        /// Id of a delivery or an event
        id: String,
    },
    /// Try dead letters again
    Retry {
        #[command(flatten)]
        which: WhichDeliveries,
    },
    /// Deliver events that are kept once more to one subscription
    Replay {
        /// Module id
        module: String,
        /// Its subscription
        subscription: String,
        /// Only events published since, RFC 3339
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Only this event
        #[arg(long, value_name = "ID")]
        event: Option<String>,
    },
    /// Delete deliveries nobody works on; --module or --id is needed
    Purge {
        #[command(flatten)]
        which: WhichDeliveries,
    },
    /// JSON schemas of events, as publishers and subscriptions have them
    Schema {
        /// Only this subject
        event_type: Option<String>,
    },
    /// All subscriptions, and how much waits for each
    Subscriptions,
}

#[derive(Debug, Args)]
pub(crate) struct JobsArgs {
    #[command(subcommand)]
    pub(crate) command: JobsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// All jobs of the modules that run here
    List,
    /// Run a job soon, whatever its schedule says
    Run {
        /// Module id
        module: String,
        /// Its job
        job: String,
        /// Payload, JSON
        #[arg(long, value_name = "JSON")]
        payload: Option<String>,
    },
    /// Keep a schedule from firing, on all nodes
    Pause {
        /// Module id
        module: String,
        /// Its job
        job: String,
    },
    /// Let a schedule fire again; what was missed in between is left out
    Resume {
        /// Module id
        module: String,
        /// Its job
        job: String,
    },
    /// What became of runs, newest first
    History {
        /// Only of this module
        #[arg(long, value_name = "ID")]
        module: Option<String>,
        /// Only of this job
        #[arg(long, value_name = "NAME")]
        job: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    #[command(subcommand)]
    pub(crate) command: MigrateCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateCommand {
    /// What would run now, statement by statement
    Plan {
        /// Module id [default: all]
        module: Option<String>,
    },
    /// Run what is due: those that waited until no older version was alive
    Up {
        /// Module id [default: all]
        module: Option<String>,
    },
    /// Every migration and where it is
    Status {
        /// Module id [default: all]
        module: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct DbArgs {
    #[command(subcommand)]
    pub(crate) command: DbCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Place, size, connections and open transactions of every space used since the host started
    Status,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Find everything that is wrong with the configuration
    Check {
        /// As `serve --dev` would read it
        #[arg(long)]
        dev: bool,
    },
    /// Show every setting, its value and where it came from; secrets are hidden
    Explain {
        /// Ask the running host instead of reading the configuration
        #[arg(long)]
        running: bool,
        /// As `serve --dev` would read it
        #[arg(long, conflicts_with = "running")]
        dev: bool,
    },
    /// Print the JSON schema of the file
    Schema,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    pub(crate) command: LogCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Change levels; what is not mentioned stays, `reset` goes back to the configured ones
    Set {
        /// Such as info,blog=debug or wharf_host::http=trace
        directives: String,
    },
    /// Show the levels in force
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) command: KeysCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key; prints what belongs in the configuration of hosts
    New {
        /// Name of the key, such as release-2026
        id: String,
        /// File for the private key, made with mode 0600 [default: ID.key]
        #[arg(long, value_name = "PATH")]
        out: Option<PathBuf>,
    },
    /// Show the public part of a key
    Show {
        /// File with the private key
        key: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SecretsArgs {
    #[command(subcommand)]
    pub(crate) command: SecretsCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Keep the value that is read from standard input, without its last line end
    Set {
        /// Module that may read it
        module: String,
        /// Its name, as in the module's wharf.toml
        name: String,
    },
    /// Names, keys and times; never a value
    List,
    /// Forget a value
    Delete {
        /// Module
        module: String,
        /// Its name
        name: String,
    },
    /// Make a new master key and seal everything with it
    RotateKey {
        /// Make none: seal with the first key that is in the file already
        #[arg(long)]
        reseal_only: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// Take an API key from standard input, or from WHARF_API_KEY, instead of a browser
    #[arg(long)]
    pub(crate) api_key: bool,
    /// Open the address in a browser too
    #[arg(long, conflicts_with = "api_key")]
    pub(crate) browser: bool,
    /// Permissions to restrict the login to, as globs such as "blog.*"
    #[arg(long, value_name = "SCOPE", conflicts_with = "api_key")]
    pub(crate) scope: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SignArgs {
    /// The library
    pub(crate) file: PathBuf,
    /// File with the private key
    #[arg(long, value_name = "PATH")]
    pub(crate) key: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// Module id: lower-case letters, digits and -
    pub(crate) name: String,
    /// Folder to make [default: plugins/NAME in a clone of Wharf, NAME elsewhere]
    #[arg(long, value_name = "PATH")]
    pub(crate) path: Option<PathBuf>,
    /// Where wharf-sdk lies, for a module outside a clone of Wharf
    #[arg(long, value_name = "PATH")]
    pub(crate) sdk: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    /// Name of the module's package
    pub(crate) name: String,
    /// Build with optimisation
    #[arg(long)]
    pub(crate) release: bool,
    /// Build and swap once, then end
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}
