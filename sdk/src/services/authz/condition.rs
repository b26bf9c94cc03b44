//! A scope as a condition of sea-orm: exactly the rows, on both databases.

use sea_orm::sea_query::extension::sqlite::SqliteExpr as _;
use sea_orm::sea_query::{Expr, ExprTrait as _, LikeExpr};
use sea_orm::{ColumnTrait, Condition, ConnectionTrait, DbBackend};

use super::{Narrowed, Rows, Scope};

/// Names of rows as they are given to [`Authz::check`](super::Authz::check): a prefix, then a column, such as `post/` and the id.
pub fn named(prefix: &str, column: impl ColumnTrait) -> Expr {
    Expr::cust_with_exprs("? || CAST(? AS TEXT)", [Expr::value(prefix), column.into_expr()])
}

impl Scope {
    /// What rows have to be, for `filter`. `owner` is the column of their owner's subject, `name` what they are called: a column,
    /// or [`named`]. A row without owner is nobody's; names are compared byte by byte.
    pub fn condition<C: ConnectionTrait>(&self, on: &C, owner: impl ColumnTrait, name: impl Into<Expr>) -> Condition {
        self.condition_for(on.get_database_backend(), owner.into_expr(), name.into())
    }

    /// The same for a backend, with any expressions.
    pub fn condition_for(&self, backend: DbBackend, owner: Expr, name: Expr) -> Condition {
        match self {
            Self::All => Condition::all(),
            Self::None => Condition::all().add(nothing()),
            Self::Some(some) => some.condition(backend, &owner, &name),
        }
    }
}

impl Narrowed {
    fn condition(&self, backend: DbBackend, owner: &Expr, name: &Expr) -> Condition {
        let set = |rows: &Rows| one_of(rows, &self.subject, backend, owner, name);
        let mut condition = Condition::all();
        if self.deny.all {
            return condition.add(nothing());
        }
        if !self.allow.all {
            condition = condition.add(set(&self.allow));
        }
        if !self.deny.is_empty() {
            condition = condition.add(set(&self.deny).not());
        }
        condition
    }
}

/// Never null, so that its negation is exact: what is null is in no set.
fn one_of(rows: &Rows, subject: &str, backend: DbBackend, owner: &Expr, name: &Expr) -> Condition {
    if rows.all {
        return Condition::all();
    }
    if rows.is_empty() {
        return Condition::all().add(nothing());
    }
    let mut any = Condition::any();
    if rows.own {
        any = any.add(there(owner, owner.clone().eq(subject)));
    }
    if !rows.names.is_empty() {
        any = any.add(there(name, name.clone().is_in(rows.names.iter().map(String::as_str))));
    }
    for glob in &rows.globs {
        let alike = match backend {
            DbBackend::Sqlite => name.clone().glob(for_sqlite(glob)),
            _ => name.clone().like(LikeExpr::new(for_like(glob)).escape('!')),
        };
        any = any.add(there(name, alike));
    }
    any
}

fn there(what: &Expr, is_so: Expr) -> Condition {
    Condition::all().add(what.clone().is_not_null()).add(is_so)
}

fn nothing() -> Expr {
    Expr::cust("1 = 0")
}

/// SQLite's GLOB, since its LIKE ignores case: `?` and `[` are special there too.
fn for_sqlite(glob: &str) -> String {
    glob.replace('[', "[[]").replace('?', "[?]")
}

fn for_like(glob: &str) -> String {
    let escaped = glob.replace('!', "!!").replace('%', "!%").replace('_', "!_");
    escaped.replace('*', "%")
}

#[cfg(test)]
mod tests {
    use sea_orm::sea_query::{Alias, PostgresQueryBuilder, Query, SqliteQueryBuilder};

    use super::*;

    fn sql(scope: &Scope) -> [String; 2] {
        let col = |name: &str| Expr::col(Alias::new(name));
        let of = |backend| {
            let mut query = Query::select();
            query
                .column(Alias::new("id"))
                .from(Alias::new("post"))
                .cond_where(scope.condition_for(backend, col("owner"), col("name")));
            query
        };
        [
            of(DbBackend::Sqlite).to_string(SqliteQueryBuilder),
            of(DbBackend::Postgres).to_string(PostgresQueryBuilder),
        ]
    }

    fn some(allow: Rows, deny: Rows) -> Scope {
        Scope::Some(Narrowed {
            subject: "user:1".to_owned(),
            allow,
            deny,
        })
    }

    #[test]
    fn each_database_gets_what_it_reads_exactly() {
        let rows = |globs: &[&str]| Rows {
            globs: globs.iter().map(|glob| (*glob).to_owned()).collect(),
            ..Rows::default()
        };
        let own = Rows {
            own: true,
            names: vec!["post/17".to_owned()],
            ..Rows::default()
        };
        let [sqlite, postgres] = sql(&some(own, rows(&["a_%![?]*b"])));
        let allowed = r#"SELECT "id" FROM "post" WHERE (("owner" IS NOT NULL AND "owner" = 'user:1') OR ("name" IS NOT NULL AND "name" IN ('post/17')))"#;
        assert_eq!(
            sqlite,
            format!("{allowed} AND (NOT (\"name\" IS NOT NULL AND (\"name\" GLOB 'a_%![[][?]]*b')))")
        );
        assert_eq!(
            postgres,
            format!("{allowed} AND (NOT (\"name\" IS NOT NULL AND \"name\" LIKE 'a!_!%!![?]%b' ESCAPE '!'))")
        );
    }

    #[test]
    fn all_is_no_condition_and_none_no_row() {
        let everything = r#"SELECT "id" FROM "post" WHERE TRUE"#;
        assert_eq!(sql(&Scope::All), [everything, everything]);
        for none in [Scope::None, some(Rows::default(), Rows::default())] {
            assert!(sql(&none).iter().all(|sql| sql.ends_with("WHERE 1 = 0")), "{none:?}");
        }
        let all = Rows {
            all: true,
            ..Rows::default()
        };
        assert_eq!(sql(&some(all.clone(), Rows::default())), [everything, everything]);
        let denied = sql(&some(all.clone(), all));
        assert!(denied.iter().all(|sql| sql.ends_with("WHERE 1 = 0")), "{denied:?}");
    }
}
