//! Spaces on SQLite: the shared contract, and what is SQLite's own.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use super::*;
use crate::ports::database::contract;

#[tokio::test(flavor = "multi_thread")]
async fn files_pass_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let spaces = SqliteSpaces::new(folder.path().join("modules"), Limits::default(), Durability::default());
    contract::passes(&spaces, "").await;
}

#[tokio::test]
async fn passing_spaces_pass_the_contract_on_one_thread() {
    contract::passes(&SqliteSpaces::in_memory(), "").await;
}
