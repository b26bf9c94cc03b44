//! Real servers for tests: shared ones whose address is in the environment, and private ones that a test may kill.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

pub(crate) mod postgres;
pub(crate) mod redis;

use std::net::TcpListener;
use std::process::Child;

use sqlx::{Connection, PgConnection};

/// The address of a shared server.
pub(crate) fn address(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set; run these tests with `make test-servers`"))
}

/// A new database on the shared PostgreSQL server.
pub(crate) async fn fresh_database(purpose: &str) -> String {
    let url = address("WHARF_TEST_POSTGRES_URL");
    let name = format!("t_{purpose}_{}", unique());
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .execute(&mut connection)
        .await
        .unwrap();
    let (server, _) = url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

pub(crate) fn unique() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Kills as the kernel does when memory is short.
fn kill(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
