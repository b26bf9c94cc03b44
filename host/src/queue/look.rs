//! What operators see of a queue and do with it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_plugin_api::sql::Value;

use super::item::{Item, Kind, State};
use super::store::{COLUMNS, Queue, kinds, read};
use crate::ports::database::{DbError, On};

/// Which items.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only of this name.
    pub name: Option<String>,
    /// Only in this state.
    pub state: Option<State>,
    /// Only this one.
    pub id: Option<String>,
    /// Only those that came to their state before, milliseconds since the epoch.
    pub ended_before_ms: Option<i64>,
    /// At most so many, the newest; 0: a hundred.
    pub limit: usize,
}

/// How many items of one name are in one state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LaneCount {
    /// Module whose queue it is.
    pub module: String,
    /// Kind of work.
    pub kind: String,
    /// Subscription, job or the like.
    pub name: String,
    /// Where they are in their life.
    pub state: State,
    /// How many.
    pub count: u64,
    /// When the oldest was put, milliseconds since the epoch.
    pub oldest_ms: i64,
}

impl Filter {
    fn condition(&self, kind: Kind) -> (String, Vec<Value>) {
        let mut args = vec![Value::text(kind.0)];
        let mut sql = "kind = $1".to_owned();
        let mut add = |column: &str, value: Value| {
            args.push(value);
            sql.push_str(&format!(" AND {column} ${}", args.len()));
        };
        if let Some(name) = &self.name {
            add("name =", Value::text(name));
        }
        if let Some(state) = self.state {
            add("state =", Value::text(state.name()));
        }
        if let Some(id) = &self.id {
            add("id =", Value::text(id));
        }
        if let Some(before) = self.ended_before_ms {
            add("ended_ms <", Value::int(before));
        }
        (sql, args)
    }
}

impl Queue {
    /// Items, newest first.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self, kind: Kind, filter: &Filter) -> Result<Vec<Item>, DbError> {
        let (condition, args) = filter.condition(kind);
        let limit = if filter.limit == 0 { 100 } else { filter.limit };
        let sql = format!("SELECT {COLUMNS} FROM wharf_queue WHERE {condition} ORDER BY seq DESC LIMIT {limit}");
        let mut statement = self.statement(&sql, args);
        statement.kinds = kinds();
        read(&self.space().query(On::Pool, &statement).await?)
    }

    /// Lets dead items be tried again, from their first try on; their errors stay. Gives how many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn retry(&self, kind: Kind, filter: &Filter) -> Result<u64, DbError> {
        let dead = Filter {
            state: Some(State::Dead),
            ..filter.clone()
        };
        let (condition, args) = dead.condition(kind);
        let now = self.now_ms();
        let sql = format!("UPDATE wharf_queue SET state = 'waiting', attempts = 0, due_ms = {now}, ended_ms = 0 WHERE {condition}");
        let done = self.space().execute(On::Pool, &self.statement(&sql, args)).await?;
        self.wake();
        Ok(done.affected)
    }

    /// Deletes items nobody works on. Gives how many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn purge(&self, kind: Kind, filter: &Filter) -> Result<u64, DbError> {
        let (condition, args) = filter.condition(kind);
        let sql = format!("DELETE FROM wharf_queue WHERE state <> 'leased' AND {condition}");
        Ok(self.space().execute(On::Pool, &self.statement(&sql, args)).await?.affected)
    }

    /// Takes one item out that has not begun. `false` when there is none, or somebody works on it.
    ///
    /// # Errors
    /// What the database says.
    pub async fn cancel(&self, on: On, kind: Kind, id: &str) -> Result<bool, DbError> {
        let sql = "DELETE FROM wharf_queue WHERE kind = $1 AND id = $2 AND state = 'waiting'";
        let statement = self.statement(sql, vec![Value::text(kind.0), Value::text(id)]);
        Ok(self.space().execute(on, &statement).await?.affected > 0)
    }

    /// How many items there are, by kind, name and state.
    ///
    /// # Errors
    /// What the database says.
    pub async fn counts(&self) -> Result<Vec<LaneCount>, DbError> {
        let sql =
            "SELECT kind, name, state, COUNT(*), MIN(created_ms) FROM wharf_queue GROUP BY kind, name, state ORDER BY kind, name, state";
        let rows = self.space().query(On::Pool, &self.statement(sql, Vec::new())).await?;
        let text = |value: &Value| value.as_text().unwrap_or_default().to_owned();
        let counts = rows.iter().filter_map(|row| {
            let [kind, name, state, count, oldest] = row else { return None };
            Some(LaneCount {
                module: self.module().to_owned(),
                kind: text(kind),
                name: text(name),
                state: State::read(&text(state)),
                count: u64::try_from(count.as_int().unwrap_or_default()).unwrap_or_default(),
                oldest_ms: oldest.as_int().unwrap_or_default(),
            })
        });
        Ok(counts.collect())
    }

    /// How much is due or under way now.
    ///
    /// # Errors
    /// What the database says.
    pub async fn busy(&self) -> Result<u64, DbError> {
        let sql = "SELECT COUNT(*) FROM wharf_queue WHERE state = 'leased' OR (state = 'waiting' AND due_ms <= $1)";
        let rows = self
            .space()
            .query(On::Pool, &self.statement(sql, vec![Value::int(self.now_ms())]))
            .await?;
        Ok(rows
            .values
            .first()
            .and_then(Value::as_int)
            .and_then(|n| u64::try_from(n).ok())
            .unwrap_or_default())
    }
}
