//! Users, groups, service accounts and tenants: a core module, linked into the host by default.
