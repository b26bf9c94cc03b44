//! The role of a module: what makes its schema a wall.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection};

use super::{Roles, engine, fault};
use crate::ports::database::{DbError, DbErrorKind};

/// As whom a module's connections work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// As the module's own role, logged in; no password where the server asks for none.
    Login { password: String },
    /// As the module's own role, taken after the host logged in.
    Set,
    /// As the host, for this reason.
    None(String),
}

impl Role {
    /// In the words of the status.
    pub(super) fn kept_by(&self, name: &str) -> String {
        match self {
            Self::Login { .. } => format!("login as role {name}"),
            Self::Set => format!("role {name}, taken after login: statements that change it are refused"),
            Self::None(why) => format!("search_path alone: {why}"),
        }
    }
}

/// Rounds of PBKDF2 in a verifier, PostgreSQL's own default.
const ROUNDS: u32 = 4_096;

/// Makes role and schema, as far as it is wanted and possible.
pub(super) async fn prepare(conn: &mut PgConnection, host: &PgConnectOptions, name: &str, wanted: Roles) -> Result<Role, DbError> {
    if wanted == Roles::Off {
        return Ok(Role::None("database.modules.roles is off".to_owned()));
    }
    if !may_make_roles(conn).await? {
        let why = "the user in database.url may not create roles: give it CREATEROLE, and CREATE on the database";
        return match wanted {
            Roles::Auto => Ok(Role::None(why.to_owned())),
            _ => Err(DbError::new(DbErrorKind::Refused, why)),
        };
    }
    make(conn, name).await?;
    if wanted == Roles::Set {
        return Ok(Role::Set);
    }
    match login(conn, host, name).await {
        Ok(password) => Ok(Role::Login { password }),
        Err(error) if wanted == Roles::Auto => {
            tracing::warn!(role = name, error = %error, "the server does not let the module's role log in: the host takes the role after logging in as itself");
            Ok(Role::Set)
        }
        Err(error) => Err(error),
    }
}

async fn may_make_roles(conn: &mut PgConnection) -> Result<bool, DbError> {
    let query = sqlx::query_scalar("SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user");
    query.fetch_one(conn).await.map_err(fault::of)
}

/// The role without any right but those on its own schema, and the schema.
async fn make(conn: &mut PgConnection, name: &str) -> Result<(), DbError> {
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)")
        .bind(name)
        .fetch_one(&mut *conn)
        .await
        .map_err(fault::of)?;
    if !there {
        say(conn, format!("CREATE ROLE \"{name}\" NOLOGIN NOCREATEDB NOCREATEROLE NOINHERIT")).await?;
    }
    // Who makes a schema for another must be a member of that one.
    say(conn, format!("GRANT \"{name}\" TO CURRENT_USER")).await?;
    say(conn, format!("CREATE SCHEMA IF NOT EXISTS \"{name}\" AUTHORIZATION \"{name}\"")).await
}

/// Lets the role log in, and tries whether it can. The password follows from the host's own, so that all nodes know it.
async fn login(conn: &mut PgConnection, host: &PgConnectOptions, name: &str) -> Result<String, DbError> {
    let secret = host.to_url_lossy().password().unwrap_or_default().to_owned();
    let password = if secret.is_empty() { String::new() } else { derived(&secret, name) };
    let mut options = host.clone().username(name).application_name("wharf");
    if !password.is_empty() {
        options = options.password(&password);
    }
    if engine::connect(&options).await.is_ok() {
        return Ok(password);
    }
    // Only the verifier goes to the server and into its log.
    let how = if password.is_empty() {
        "NULL".to_owned()
    } else {
        format!("'{}'", verifier(&password)?)
    };
    say(conn, format!("ALTER ROLE \"{name}\" LOGIN PASSWORD {how}")).await?;
    engine::connect(&options).await.map(|_| password)
}

async fn say(conn: &mut PgConnection, sql: String) -> Result<(), DbError> {
    conn.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.map(drop).map_err(fault::of)
}

fn derived(secret: &str, name: &str) -> String {
    let mac = hmac(secret.as_bytes(), format!("wharf module role {name}").as_bytes());
    mac.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `SCRAM-SHA-256$ROUNDS:SALT$STORED:SERVER`, see RFC 5802 and PostgreSQL's `pg_authid`.
fn verifier(password: &str) -> Result<String, DbError> {
    let mut salt = [0_u8; 16];
    getrandom::fill(&mut salt).map_err(|_| DbError::new(DbErrorKind::Other, "the system gives no random bytes"))?;
    Ok(verifier_with(password, &salt))
}

fn verifier_with(password: &str, salt: &[u8]) -> String {
    let mut round = hmac(password.as_bytes(), &[salt, &1_u32.to_be_bytes()].concat());
    let mut salted = round;
    for _ in 1..ROUNDS {
        round = hmac(password.as_bytes(), &round);
        salted.iter_mut().zip(round).for_each(|(all, one)| *all ^= one);
    }
    let stored = Sha256::digest(hmac(&salted, b"Client Key"));
    let server = hmac(&salted, b"Server Key");
    let text = |bytes: &[u8]| STANDARD.encode(bytes);
    format!("SCRAM-SHA-256${ROUNDS}:{}${}:{}", text(salt), text(&stored), text(&server))
}

/// HMAC-SHA-256, RFC 2104.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    let digest;
    let key = if key.len() > block.len() {
        digest = Sha256::digest(key);
        digest.as_slice()
    } else {
        key
    };
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let keyed = |pad: u8, rest: &[u8]| -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(block.map(|byte| byte ^ pad));
        hash.update(rest);
        hash.finalize().into()
    };
    keyed(0x5c, &keyed(0x36, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mac_is_that_of_rfc_4231() {
        let hex: String = hmac(b"Jefe", b"what do ya want for nothing?")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    #[test]
    fn a_password_belongs_to_one_role_and_never_repeats_the_secret() {
        assert_ne!(derived("canary", "wharf_a"), derived("canary", "wharf_b"));
        assert!(!derived("canary", "wharf_a").contains("canary"));
        assert!(verifier_with("x", &[1; 16]).starts_with("SCRAM-SHA-256$4096:AQEBAQEBAQEBAQEBAQEBAQ==$"));
    }
}
