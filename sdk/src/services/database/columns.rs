//! Which column of which table each column of a result is: reads the select list or RETURNING of a statement, once.
//!
//! This is no parser of SQL. It knows enough to be right about what it recognises, and leaves the rest alone.

mod sources;
mod tokens;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use sea_orm::sea_query::ArrayType;
use wharf_plugin_api::sql::Kind;

use super::entities::{Column, Entities};
use super::values::wire_kind;
use sources::Sources;
use tokens::{Token, split_at_commas, tokens};

/// Texts longer than this are read each time: they are bulk inserts, each another.
const LONGEST_KEPT: usize = 8192;
/// Texts kept in each of two halves.
const KEPT: usize = 512;

/// What is known of the result of a statement.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// The type of each column; none: as the database has it.
    pub(crate) columns: Vec<Option<Column>>,
    /// The same, as the host is asked.
    pub(crate) kinds: Vec<Kind>,
    /// With a `*` in the list columns are told by name.
    pub(crate) by_name: HashMap<String, Column>,
    /// A table that is selected from by name and that nobody registered.
    pub(crate) unknown_table: Option<String>,
}

/// Plans by the text of the statement. Bounded: two halves, of which the older goes when the newer is full.
#[derive(Debug, Default)]
pub(crate) struct Plans {
    halves: RwLock<[HashMap<String, Arc<Plan>>; 2]>,
}

impl Plans {
    pub(crate) fn plan(&self, sql: &str, entities: &Entities) -> Arc<Plan> {
        if sql.len() > LONGEST_KEPT {
            return Arc::new(Plan::read(sql, entities));
        }
        {
            let halves = self.halves.read().unwrap_or_else(PoisonError::into_inner);
            let [newer, older] = &*halves;
            if let Some(plan) = newer.get(sql).or_else(|| older.get(sql)) {
                return plan.clone();
            }
        }
        let plan = Arc::new(Plan::read(sql, entities));
        let mut halves = self.halves.write().unwrap_or_else(PoisonError::into_inner);
        let [newer, older] = &mut *halves;
        if newer.len() >= KEPT {
            *older = std::mem::take(newer);
        }
        newer.insert(sql.to_owned(), plan.clone());
        plan
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.halves
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(HashMap::len)
            .sum()
    }
}

impl Plan {
    pub(crate) fn read(sql: &str, entities: &Entities) -> Self {
        let tokens = tokens(sql);
        let sources = Sources::read(&tokens);
        let list = result_list(&tokens);
        let mut plan = Self::default();
        let items = split_at_commas(list);
        if items
            .iter()
            .any(|item| matches!(item, [Token::Star] | [_, Token::Dot, Token::Star]))
        {
            plan.by_name = sources.all_columns(entities);
            return plan;
        }
        for item in items {
            let column = plan.column(item, &sources, entities);
            plan.kinds.push(column.as_ref().map_or(Kind::NATURAL, wire_kind));
            plan.columns.push(column);
        }
        // Nothing is known: the host need not be told so.
        if plan.kinds.iter().all(|kind| *kind == Kind::NATURAL) {
            plan.kinds.clear();
        }
        plan
    }

    fn column(&mut self, item: &[Token<'_>], sources: &Sources<'_>, entities: &Entities) -> Option<Column> {
        let (expression, alias) = split_alias(item);
        match expression {
            [table, Token::Dot, column] => {
                let base = sources.base(table.name()?)?;
                let Some(columns) = entities.table(base) else {
                    // In quotes it is what sea-orm writes for an entity.
                    if matches!(table, Token::Quoted(_)) && !is_system(base) {
                        self.unknown_table.get_or_insert_with(|| base.to_owned());
                    }
                    return None;
                };
                columns.get(column.name()?).cloned()
            }
            [column] => sources.only_column(column.name()?, entities),
            [function, Token::Open, inner @ .., Token::Close] => self.function(function, inner, alias, sources, entities),
            _ => None,
        }
    }

    fn function(
        &mut self,
        function: &Token<'_>,
        inner: &[Token<'_>],
        alias: Option<&str>,
        sources: &Sources<'_>,
        entities: &Entities,
    ) -> Option<Column> {
        let Token::Word(function) = function else { return None };
        match function.to_ascii_uppercase().as_str() {
            "COUNT" => Some(Column::of(ArrayType::BigInt)),
            "MIN" | "MAX" if split_at_commas(inner).len() == 1 => self.column(inner, sources, entities),
            // How sea-orm selects enums: the field stays what the entity says. Any other cast makes a type of its own.
            "CAST" => {
                let place = inner.iter().rposition(|token| token.is_word("AS"))?;
                let expression = inner.get(..place)?;
                let name = expression.last()?.name()?;
                let is_same =
                    alias.is_none_or(|alias| alias == name || alias.strip_suffix(name).is_some_and(|prefix| prefix.ends_with('_')));
                if is_same {
                    self.column(expression, sources, entities)
                } else {
                    None
                }
            }
            _ => None,
        }
    }
}

/// What belongs to the database itself.
fn is_system(table: &str) -> bool {
    table.starts_with("sqlite_") || table.starts_with("pg_")
}

/// The tokens between SELECT and FROM, or after RETURNING; none when the statement gives no rows.
fn result_list<'t, 's>(tokens: &'t [Token<'s>]) -> &'t [Token<'s>] {
    let at_top = tokens::top_level(tokens);
    let begin = at_top
        .iter()
        .position(|(_, token)| token.is_word("SELECT") || token.is_word("INSERT") || token.is_word("UPDATE") || token.is_word("DELETE"));
    let Some((start, verb)) = begin.and_then(|place| at_top.get(place)).copied() else {
        return &[];
    };
    if !verb.is_word("SELECT") {
        return at_top
            .iter()
            .rfind(|(_, token)| token.is_word("RETURNING"))
            .and_then(|(place, _)| tokens.get(place + 1..))
            .unwrap_or_default();
    }
    let mut from = start + 1;
    if tokens
        .get(from)
        .is_some_and(|token| token.is_word("DISTINCT") || token.is_word("ALL"))
    {
        from += 1;
        if tokens.get(from).is_some_and(|token| token.is_word("ON")) {
            from = tokens::after_group(tokens, from + 1);
        }
    }
    const ENDS: [&str; 10] = [
        "FROM",
        "WHERE",
        "GROUP",
        "ORDER",
        "LIMIT",
        "UNION",
        "INTERSECT",
        "EXCEPT",
        "HAVING",
        "OFFSET",
    ];
    let end = at_top
        .iter()
        .find(|(place, token)| *place >= from && ENDS.iter().any(|end| token.is_word(end)))
        .map_or(tokens.len(), |(place, _)| *place);
    tokens.get(from..end).unwrap_or_default()
}

/// An item without its alias, and the alias.
fn split_alias<'t, 's>(item: &'t [Token<'s>]) -> (&'t [Token<'s>], Option<&'s str>) {
    let Some((last, rest)) = item.split_last() else {
        return (item, None);
    };
    let Some(alias) = last.name() else { return (item, None) };
    match rest.split_last() {
        Some((as_word, rest)) if as_word.is_word("AS") => (rest, Some(alias)),
        Some((Token::Close, _)) => (rest, Some(alias)),
        Some((before, _)) if before.name().is_some() => (rest, Some(alias)),
        _ => (item, None),
    }
}
