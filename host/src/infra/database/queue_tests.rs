//! The queue of work that must not be lost, on each database.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use super::{Durability, Limits, SqliteSpaces};
use crate::ports::database::Databases;
use crate::queue::contract;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_in_memory_keeps_the_contract_of_the_queue() {
    let databases: Arc<dyn Databases> = Arc::new(SqliteSpaces::in_memory());
    contract::run(&databases, "q").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_files_keep_the_contract_of_the_queue() {
    let folder = tempfile::tempdir().unwrap();
    let spaces = SqliteSpaces::new(folder.path().join("modules"), Limits::default(), Durability::default());
    let databases: Arc<dyn Databases> = Arc::new(spaces);
    contract::run(&databases, "q").await;
}

#[cfg(all(feature = "servers", feature = "postgres"))]
mod servers {
    use super::super::{PgSettings, PgSpaces, Roles};
    use super::{Arc, Databases, Limits, contract};
    use crate::infra::servers::{address, unique};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres_keeps_the_contract_of_the_queue() {
        let settings = PgSettings {
            url: address("WHARF_TEST_POSTGRES_URL"),
            replica: None,
            prefix: "wharf_".to_owned(),
            roles: Roles::Auto,
            limits: Limits::default(),
        };
        let databases: Arc<dyn Databases> = Arc::new(PgSpaces::new(settings).unwrap());
        let id: String = unique().chars().skip(18).collect();
        contract::run(&databases, &format!("q{id}")).await;
    }
}
