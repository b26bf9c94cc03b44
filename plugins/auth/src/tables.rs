//! The tables. Times are milliseconds since 1970, secrets are kept as digests or sealed.

pub(crate) mod api_key;
pub(crate) mod client;
pub(crate) mod code;
pub(crate) mod epoch;
pub(crate) mod login;
pub(crate) mod refresh_token;
pub(crate) mod request;
pub(crate) mod revocation;
pub(crate) mod session;
pub(crate) mod signing_key;

use wharf_sdk::services::database::Entities;
use wharf_sdk::{Migration, Migrations, entities};

pub(crate) fn all() -> Entities {
    entities![
        api_key::Entity,
        client::Entity,
        code::Entity,
        epoch::Entity,
        login::Entity,
        refresh_token::Entity,
        request::Entity,
        revocation::Entity,
        session::Entity,
        signing_key::Entity
    ]
}

pub(crate) fn migrations() -> Migrations {
    Migrations::new()
        .then(Migration::expand("0001_keys").both(KEYS))
        .then(Migration::expand("0002_sessions").both(SESSIONS))
        .then(Migration::expand("0003_clients").both(CLIENTS))
        .then(Migration::expand("0004_logins").both(LOGINS))
}

const KEYS: &str = "
CREATE TABLE epoch (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
INSERT INTO epoch (name, value) VALUES ('keys', 0), ('revocations', 0);
CREATE TABLE signing_key (
    id TEXT PRIMARY KEY, algorithm TEXT NOT NULL, jwk TEXT NOT NULL, sealed TEXT NOT NULL,
    made_at BIGINT NOT NULL, active_from BIGINT NOT NULL, retire_at BIGINT
);
CREATE TABLE revocation (
    epoch BIGINT PRIMARY KEY, kind TEXT NOT NULL, value TEXT NOT NULL, before BIGINT NOT NULL, forget BIGINT NOT NULL
);
CREATE INDEX revocation_forget ON revocation (forget)";

const SESSIONS: &str = "
CREATE TABLE session (
    id TEXT PRIMARY KEY, account TEXT NOT NULL, kind TEXT NOT NULL, tenant TEXT NOT NULL, name TEXT NOT NULL, client TEXT NOT NULL,
    scope TEXT, method TEXT NOT NULL, authenticated_at BIGINT NOT NULL, created_at BIGINT NOT NULL, used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL, address TEXT NOT NULL, user_agent TEXT NOT NULL, revoked_at BIGINT
);
CREATE INDEX session_account ON session (account);
CREATE INDEX session_tenant ON session (tenant, id);
CREATE INDEX session_expires ON session (expires_at);
CREATE TABLE refresh_token (
    hash TEXT PRIMARY KEY, session TEXT NOT NULL, made_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, used_at BIGINT
);
CREATE INDEX refresh_token_session ON refresh_token (session);
CREATE INDEX refresh_token_expires ON refresh_token (expires_at)";

const CLIENTS: &str = "
CREATE TABLE client (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, secret_hash TEXT, redirect_uris TEXT NOT NULL, scopes TEXT NOT NULL, created_at BIGINT NOT NULL
);
CREATE TABLE api_key (
    id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, hint TEXT NOT NULL, name TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL,
    tenant TEXT NOT NULL, scopes TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT, revoked_at BIGINT, used_at BIGINT
);
CREATE INDEX api_key_account ON api_key (account);
CREATE INDEX api_key_tenant ON api_key (tenant, id)";

const LOGINS: &str = "
CREATE TABLE code (
    hash TEXT PRIMARY KEY, client TEXT NOT NULL, redirect_uri TEXT NOT NULL, challenge TEXT NOT NULL, nonce TEXT, scope TEXT,
    openid BOOLEAN NOT NULL, account TEXT NOT NULL, method TEXT NOT NULL, authenticated_at BIGINT NOT NULL, expires_at BIGINT NOT NULL,
    used_at BIGINT, session TEXT
);
CREATE INDEX code_expires ON code (expires_at);
CREATE TABLE request (
    hash TEXT PRIMARY KEY, browser TEXT NOT NULL, client TEXT NOT NULL, redirect_uri TEXT NOT NULL, state TEXT, challenge TEXT NOT NULL,
    nonce TEXT, scope TEXT, openid BOOLEAN NOT NULL, expires_at BIGINT NOT NULL
);
CREATE INDEX request_expires ON request (expires_at);
CREATE TABLE login (
    hash TEXT PRIMARY KEY, provider TEXT NOT NULL, browser TEXT NOT NULL, sealed TEXT NOT NULL, request TEXT, expires_at BIGINT NOT NULL
);
CREATE INDEX login_expires ON login (expires_at)";
