//! What may be typed after `wharf authz`.

use clap::{Args, Subcommand};

/// What to do with roles and rules.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AuthzCommand {
    /// All roles, or those of one tenant
    Roles {
        /// Only roles of this tenant, and those of all
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Make, show and delete a role, and say what it may
    Role {
        #[command(subcommand)]
        command: RoleCommand,
    },
    /// Let somebody hold a role
    Grant {
        /// An address, `user:ID`, `service:ID`, `group:ID` or `role:NAME`
        user: String,
        /// Name of the role, or `group:ID`
        role: String,
        /// Tenant, or `*` for all [default: that of the account]
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Take a role away from somebody
    Revoke {
        /// As in `grant`
        user: String,
        /// As in `grant`
        role: String,
        /// As in `grant`
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Who holds what
    Bindings {
        /// Only of this member
        user: Option<String>,
        /// Only of this role
        #[arg(long)]
        role: Option<String>,
        /// Only in this tenant
        #[arg(long)]
        tenant: Option<String>,
    },
    /// All rules, or those of one role
    Rules {
        /// Name of the role, or `user:ID`
        role: Option<String>,
        /// Only those that hold in this tenant
        #[arg(long)]
        tenant: Option<String>,
    },
    /// What modules declare, and rules may name
    Permissions,
    /// Whether somebody may, and which rule says so; exit code 0 for yes, 3 for no
    Why {
        /// As in `grant`
        user: String,
        /// Name of the permission, such as blog.post.write
        permission: String,
        /// Name of the resource, such as post/17 [default: the permission on every resource]
        #[arg(default_value = "")]
        resource: String,
        /// Whom the resource belongs to, named as USER
        #[arg(long)]
        owner: Option<String>,
        /// In which tenant [default: that of the account]
        #[arg(long)]
        tenant: Option<String>,
    },
}

/// What to do with one role.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Make a role that allows nothing yet
    Create {
        /// 1 to 64 of a-z, 0-9, `-`, `_` and `.`
        name: String,
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
        /// Whose role it is; `*` for all [default: default]
        #[arg(long)]
        tenant: Option<String>,
    },
    /// A role and its rules
    Show {
        /// Its name
        name: String,
        /// Only rules that hold in this tenant
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Delete a role with its rules and bindings
    Delete {
        /// Its name
        name: String,
    },
    /// Let a role, or somebody, use a permission
    Allow(RuleArgs),
    /// Keep a role, or somebody, from a permission, whatever else allows it
    Deny(RuleArgs),
    /// Take a rule away
    Forget {
        #[command(flatten)]
        rule: RuleArgs,
        /// The rule that denies, not the one that allows
        #[arg(long)]
        deny: bool,
    },
}

/// One rule.
#[derive(Clone, Debug, Args)]
pub(crate) struct RuleArgs {
    /// Name of the role, or `user:ID`, `service:ID`, `group:ID`, `module:ID`
    pub(crate) role: String,
    /// Permission; `*` stands for any text
    pub(crate) permission: String,
    /// Resource; `*` stands for any text, `own` is whatever belongs to the caller
    #[arg(default_value = "*")]
    pub(crate) resource: String,
    /// Tenant, or `*` for all [default: default]
    #[arg(long)]
    pub(crate) tenant: Option<String>,
}
