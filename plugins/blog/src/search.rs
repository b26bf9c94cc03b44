//! Full-text search over published posts: FTS5 with bm25 on SQLite, `tsvector` with `ts_rank` on PostgreSQL.
//!
//! The index is kept by the transactions that change posts, so what is found is what is published. It has published posts only:
//! nothing of a draft can be found by its words. Words are taken as they are written, in lower case, without stems of a language; on
//! PostgreSQL their spelling in ASCII is indexed beside them, as SQLite's tokenizer does by itself.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, Value};
use wharf_sdk::services::database::Tx;
use wharf_sdk::{Migration, Tenant};

use crate::Blog;
use crate::domain::page::{self, BadToken};
use crate::domain::query::Query;
use crate::domain::{letters, markdown};
use crate::error::Result;
use crate::posts::{Head, Post};

/// Last row that is paged to.
const DEEPEST: u64 = 1000;
/// Stand around what was looked for until the rest of a snippet is escaped: no text of ours has them.
const MARKS: [char; 2] = ['\u{2}', '\u{3}'];

/// A post that was found.
#[derive(Clone, Debug)]
pub(crate) struct Hit {
    pub(crate) head: Head,
    /// Safe HTML.
    pub(crate) snippet: String,
    pub(crate) score: f64,
}

/// What an index says of a hit.
struct Raw {
    post: String,
    score: f64,
    snippet: String,
}

pub(crate) fn migration() -> Migration {
    Migration::expand("0002_search")
        .sqlite(
            "CREATE TABLE search_doc (id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, post TEXT NOT NULL UNIQUE);
             CREATE VIRTUAL TABLE post_search USING fts5 (tenant, title, summary, body, tags, tokenize = 'unicode61 remove_diacritics 2')",
        )
        .postgres(
            "CREATE TABLE post_search (post TEXT PRIMARY KEY, tenant TEXT NOT NULL, body TEXT NOT NULL, document TSVECTOR NOT NULL);
             CREATE INDEX post_search_document ON post_search USING GIN (document);
             CREATE INDEX post_search_tenant ON post_search (tenant)",
        )
}

/// A statement with `?` where its arguments stand, as either database wants it.
pub(crate) fn statement<C: ConnectionTrait>(on: &C, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
    let backend = on.get_database_backend();
    if backend != DbBackend::Postgres {
        return Statement::from_sql_and_values(backend, sql, values);
    }
    let mut numbered = String::with_capacity(sql.len() + 8);
    for (place, part) in sql.split('?').enumerate() {
        if place > 0 {
            numbered.push_str(&format!("${place}"));
        }
        numbered.push_str(part);
    }
    Statement::from_sql_and_values(backend, numbered, values)
}

/// Puts a post into the index, in place of what is there of it.
pub(crate) async fn index(tx: &Tx, tenant: &Tenant, post: &Post) -> Result<()> {
    let row = &post.row;
    let (body, tags) = (markdown::plain(&row.body), post.tags.join(", "));
    if tx.get_database_backend() == DbBackend::Postgres {
        const INSERT: &str = "INSERT INTO post_search (post, tenant, body, document) VALUES (?, ?, ?, \
             setweight(to_tsvector('simple', ?), 'A') || setweight(to_tsvector('simple', ?), 'A') || \
             setweight(to_tsvector('simple', ?), 'B') || setweight(to_tsvector('simple', ?), 'D')) \
             ON CONFLICT (post) DO UPDATE SET tenant = EXCLUDED.tenant, body = EXCLUDED.body, document = EXCLUDED.document";
        let text = format!("{} {body}", row.summary);
        let values = [
            row.id.as_str().into(),
            tenant.as_str().into(),
            text.as_str().into(),
            words(&row.title).into(),
            words(&tags).into(),
            words(&row.summary).into(),
            words(&body).into(),
        ];
        tx.execute_raw(statement(tx, INSERT, values)).await?;
        return Ok(());
    }
    const NOTE: &str = "INSERT INTO search_doc (tenant, post) VALUES (?, ?) ON CONFLICT (post) DO NOTHING";
    const FORGET: &str = "DELETE FROM post_search WHERE rowid = (SELECT id FROM search_doc WHERE post = ?)";
    const INSERT: &str = "INSERT INTO post_search (rowid, tenant, title, summary, body, tags) \
         SELECT id, ?, ?, ?, ?, ? FROM search_doc WHERE post = ?";
    let id = || Value::from(row.id.as_str());
    tx.execute_raw(statement(tx, NOTE, [tenant.as_str().into(), id()])).await?;
    tx.execute_raw(statement(tx, FORGET, [id()])).await?;
    let values = [
        token(tenant).into(),
        row.title.as_str().into(),
        row.summary.as_str().into(),
        body.into(),
        tags.into(),
        id(),
    ];
    tx.execute_raw(statement(tx, INSERT, values)).await?;
    Ok(())
}

/// Takes a post out of the index, if it is there.
pub(crate) async fn unindex(tx: &Tx, tenant: &Tenant, post: &str) -> Result<()> {
    const POSTGRES: [&str; 1] = ["DELETE FROM post_search WHERE tenant = ? AND post = ?"];
    const SQLITE: [&str; 2] = [
        "DELETE FROM post_search WHERE rowid = (SELECT id FROM search_doc WHERE tenant = ? AND post = ?)",
        "DELETE FROM search_doc WHERE tenant = ? AND post = ?",
    ];
    let statements: &[&str] = match tx.get_database_backend() {
        DbBackend::Postgres => &POSTGRES,
        _ => &SQLITE,
    };
    for sql in statements {
        tx.execute_raw(statement(tx, sql, [tenant.as_str().into(), post.into()])).await?;
    }
    Ok(())
}

impl Blog {
    /// Published posts of a tenant that have all words, best first. Any text is a query; one without a word finds nothing.
    pub(crate) async fn search(&self, tenant: &Tenant, text: &str, size: u32, token: &str) -> Result<(Vec<Hit>, String)> {
        let skipped = match token {
            "" => 0,
            token => token.parse::<u64>().ok().filter(|skipped| *skipped <= DEEPEST).ok_or(BadToken)?,
        };
        let query = Query::read(text);
        if query.is_empty() {
            return Ok((Vec::new(), String::new()));
        }
        let size = page::size(size);
        let mut raw = self.find(tenant, &query, size + 1, skipped).await?;
        let next = page::cut(&mut raw, size, |_| (skipped + size).to_string());
        let next = if skipped + size > DEEPEST { String::new() } else { next };
        let ids: Vec<String> = raw.iter().map(|raw| raw.post.clone()).collect();
        let mut heads = self.heads(tenant, &ids).await?;
        let hits = raw.into_iter().filter_map(|raw| {
            let place = heads.iter().position(|head| head.id == raw.post)?;
            Some(Hit {
                head: heads.swap_remove(place),
                snippet: marked(&raw.snippet),
                score: raw.score,
            })
        });
        Ok((hits.collect(), next))
    }

    async fn find(&self, tenant: &Tenant, query: &Query, limit: u64, skipped: u64) -> Result<Vec<Raw>> {
        let number = |number: u64| Value::from(i64::try_from(number).unwrap_or(i64::MAX));
        let statement = if self.db.get_database_backend() == DbBackend::Postgres {
            const FIND: &str = "SELECT h.post AS post, h.score AS score, ts_headline('simple', h.body, to_tsquery('simple', ?), ?) AS in_body, \
                 '' AS in_summary, '' AS in_title \
                 FROM (SELECT s.post, s.body, CAST(ts_rank(s.document, to_tsquery('simple', ?)) AS DOUBLE PRECISION) AS score \
                 FROM post_search s WHERE s.tenant = ? AND s.document @@ to_tsquery('simple', ?) \
                 ORDER BY score DESC, s.post DESC LIMIT ? OFFSET ?) h ORDER BY h.score DESC, h.post DESC";
            let text = query.tsquery();
            let [open, close] = MARKS;
            let style = format!("StartSel=\"{open}\", StopSel=\"{close}\", MaxWords=24, MinWords=12, MaxFragments=1");
            let values: [Value; 7] = [
                text.as_str().into(),
                style.into(),
                text.as_str().into(),
                tenant.as_str().into(),
                text.as_str().into(),
                number(limit),
                number(skipped),
            ];
            statement(&self.db, FIND, values)
        } else {
            // The column of the tenant is searched too, so each snippet says which column it is of. They are made for what is shown
            // alone, which is found first.
            const FIND: &str = "SELECT d.post AS post, h.score AS score, snippet(post_search, 3, ?, ?, '…', 24) AS in_body, \
                 snippet(post_search, 2, ?, ?, '…', 24) AS in_summary, snippet(post_search, 1, ?, ?, '…', 24) AS in_title \
                 FROM (SELECT rowid AS id, -bm25(post_search, 0.0, 10.0, 4.0, 1.0, 8.0) AS score FROM post_search \
                 WHERE post_search MATCH ? ORDER BY score DESC, id DESC LIMIT ? OFFSET ?) h \
                 JOIN search_doc d ON d.id = h.id JOIN post_search ON post_search.rowid = h.id \
                 WHERE post_search MATCH ? AND d.tenant = ? ORDER BY h.score DESC, h.id DESC";
            let text = query.fts5(&token(tenant));
            let [open, close] = MARKS.map(|mark| Value::from(mark.to_string()));
            let values: [Value; 11] = [
                open.clone(),
                close.clone(),
                open.clone(),
                close.clone(),
                open,
                close,
                text.as_str().into(),
                number(limit),
                number(skipped),
                text.as_str().into(),
                tenant.as_str().into(),
            ];
            statement(&self.db, FIND, values)
        };
        let rows = self.db.query_all_raw(statement).await?;
        rows.iter().map(Raw::read).collect()
    }
}

impl Raw {
    fn read(row: &QueryResult) -> Result<Self> {
        Ok(Self {
            post: row.try_get("", "post")?,
            score: row.try_get("", "score")?,
            snippet: snippet([
                row.try_get("", "in_body")?,
                row.try_get("", "in_summary")?,
                row.try_get("", "in_title")?,
            ]),
        })
    }
}

/// The name of a tenant as one word of the index, so that its posts are found among those of others without looking at theirs.
fn token(tenant: &Tenant) -> String {
    let hex: String = tenant.as_str().bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("x{hex}")
}

/// A text as words alone, so that the parser of PostgreSQL sees no addresses and numbers with signs; those that are spelled otherwise in
/// ASCII come once more at the end.
fn words(text: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut spelled = BTreeSet::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        if !word.is_ascii() {
            spelled.insert(word.chars().map(spelling).collect::<String>());
        }
        words.push(word);
    }
    words.extend(spelled);
    words.join(" ")
}

fn spelling(letter: char) -> String {
    letters::ascii(letter).map_or_else(|| letter.to_string(), str::to_owned)
}

/// The first one that has what was looked for; the beginning of the body when only a tag has it.
fn snippet(found: [String; 3]) -> String {
    let [open, _] = MARKS;
    let place = found.iter().position(|text| text.contains(open)).unwrap_or_default();
    found.into_iter().nth(place).unwrap_or_default()
}

/// A snippet as HTML: escaped, with `<mark>` around what was looked for.
fn marked(snippet: &str) -> String {
    let [open, close] = MARKS;
    markdown::escaped(snippet).replace(open, "<mark>").replace(close, "</mark>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_is_escaped_before_it_is_marked() {
        assert_eq!(marked("a <b> \u{2}rust\u{3} & c"), "a &lt;b&gt; <mark>rust</mark> &amp; c");
    }

    #[test]
    fn words_are_found_in_their_own_spelling_and_in_ascii() {
        assert_eq!(
            words("Résumé: see example.com/x-y, größer"),
            "résumé see example com x y größer groesser resume"
        );
    }

    #[test]
    fn the_names_of_tenants_are_words_of_their_own() {
        let names = ["a", "a-b", "ab"].map(|name| Tenant::named(name).map(|tenant| token(&tenant)).unwrap_or_default());
        assert_eq!(names, ["x61", "x612d62", "x6162"]);
    }
}
