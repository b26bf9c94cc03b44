//! What is checked: reading and writing, types, errors, transactions, streams.

mod queries;
mod transactions;
mod types;

use std::future::Future;
use std::pin::Pin;

use sea_orm::{ConnectionTrait, DbErr, EntityTrait};
use wharf_sdk::services::database::Db;

use crate::Checked;
use crate::entities::{customer, item, order, product, sink};

/// Why a check failed.
pub(crate) type Outcome = Result<(), Wrong>;

/// An error, or something that is not as it should be.
#[derive(Debug)]
pub(crate) struct Wrong(String);

impl<E: std::error::Error> From<E> for Wrong {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Says what was found when it is not what was expected.
pub(crate) fn same<T: PartialEq + std::fmt::Debug>(found: T, expected: T) -> Outcome {
    if found == expected {
        return Ok(());
    }
    Err(Wrong(format!("found {found:?}, expected {expected:?}")))
}

/// Says what is wrong when it is not true.
pub(crate) fn holds(condition: bool, what: impl std::fmt::Display) -> Outcome {
    if condition { Ok(()) } else { Err(Wrong(what.to_string())) }
}

type Check = for<'a> fn(&'a Db) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

macro_rules! checks {
    ($($module:ident::$name:ident),* $(,)?) => {
        const ALL: &[(&str, Check)] = &[$((stringify!($name), |db| Box::pin($module::$name(db)))),*];
    };
}

checks! {
    queries::an_insert_gives_back_the_row,
    queries::many_are_inserted_at_once,
    queries::a_row_is_updated_and_deleted,
    queries::a_conflict_is_ignored_or_updates,
    queries::related_rows_are_found,
    queries::related_rows_are_loaded,
    queries::pages_and_counts,
    queries::a_cursor_goes_on_where_it_stopped,
    queries::tuples_are_read_by_index,
    queries::groups_are_read_by_index,
    queries::the_same_name_twice_is_read_by_index,
    queries::a_struct_of_its_own_is_read,
    queries::json_has_the_columns_and_nothing_else,
    queries::json_of_every_type_is_what_serde_writes,
    queries::raw_sql_gives_entities,
    queries::a_star_gives_entities,
    queries::least_and_greatest_have_the_type_of_their_column,
    queries::a_replica_reads_and_does_not_write,
    types::every_type_comes_back_as_it_went,
    types::every_type_may_be_null,
    types::every_type_is_found_by_its_value,
    types::a_value_of_the_wrong_type_names_its_column,
    types::a_value_out_of_range_is_an_error,
    types::a_table_that_is_not_listed_is_refused,
    types::a_unique_key_is_told_from_other_errors,
    types::a_foreign_key_is_told_from_other_errors,
    types::null_where_none_may_be_and_nonsense_are_told_apart,
    transactions::what_is_committed_stays_and_what_is_rolled_back_does_not,
    transactions::a_dropped_transaction_is_rolled_back,
    transactions::a_reader_does_not_see_what_is_not_committed,
    transactions::savepoints_roll_back_alone,
    transactions::a_commit_with_an_open_savepoint_is_a_rollback_and_an_error,
    transactions::a_closure_commits_or_rolls_back,
    transactions::a_read_only_transaction_does_not_write,
    transactions::isolation_levels_are_taken,
    transactions::an_ended_transaction_is_gone,
    transactions::a_stream_gives_all_rows_in_order,
    transactions::a_stream_may_be_dropped_early,
    transactions::a_stream_in_a_transaction_sees_its_rows,
}

/// Runs all of them, each on empty tables.
pub(crate) async fn all(db: &Db) -> Vec<Checked> {
    let mut checked = Vec::new();
    for (name, check) in ALL {
        let outcome = match empty(db).await {
            Ok(()) => check(db).await,
            Err(error) => Err(Wrong(format!("the tables cannot be emptied: {error}"))),
        };
        checked.push(Checked {
            name,
            error: outcome.err().map(|wrong| wrong.0),
        });
    }
    checked
}

async fn empty(db: &Db) -> Result<(), DbErr> {
    item::Entity::delete_many().exec(db).await?;
    order::Entity::delete_many().exec(db).await?;
    product::Entity::delete_many().exec(db).await?;
    customer::Entity::delete_many().exec(db).await?;
    sink::Entity::delete_many().exec(db).await?;
    db.execute_unprepared("DELETE FROM unlisted; DELETE FROM unlisted").await?;
    Ok(())
}
