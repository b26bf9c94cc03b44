//! Roles and rules, edited with casbin: a core module, linked into the host by default.
