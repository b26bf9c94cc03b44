//! What a statement selects from or writes to, by the name it has in the statement.

use std::collections::HashMap;

use super::super::entities::{Column, Entities};
use super::is_system;
use super::tokens::{Token, after_group, top_level};

/// Names in a statement and the tables behind them; none for what is no table: a subquery, a common table expression.
#[derive(Debug, Default)]
pub(super) struct Sources<'s>(Vec<(&'s str, Option<&'s str>)>);

impl<'s> Sources<'s> {
    pub(super) fn read(tokens: &[Token<'s>]) -> Self {
        let at_top = top_level(tokens);
        let mut sources = Self::default();
        let ctes = common_tables(&at_top);
        let mut before: Option<&Token<'s>> = None;
        for (order, &(place, token)) in at_top.iter().enumerate() {
            let is_verb = order == 0 || before.is_some_and(|before| !before.is_word("FOR") && !before.is_word("DO"));
            let begins = token.is_word("JOIN")
                || token.is_word("INTO")
                || token.is_word("USING")
                || (token.is_word("FROM") && !before.is_some_and(|before| before.is_word("DISTINCT")))
                || (token.is_word("UPDATE") && is_verb);
            if begins {
                sources.list(tokens, place + 1, &ctes);
            }
            before = Some(token);
        }
        sources
    }

    /// One table, or several with commas between.
    fn list(&mut self, tokens: &[Token<'s>], mut place: usize, ctes: &[&str]) {
        loop {
            while tokens
                .get(place)
                .is_some_and(|token| token.is_word("ONLY") || token.is_word("LATERAL"))
            {
                place += 1;
            }
            let mut base = None;
            let after = after_group(tokens, place);
            if after > place {
                place = after;
            } else {
                let Some(mut name) = tokens.get(place).and_then(Token::name) else {
                    return;
                };
                place += 1;
                let mut is_foreign = false;
                if tokens.get(place) == Some(&Token::Dot)
                    && let Some(inner) = tokens.get(place + 1).and_then(Token::name)
                {
                    is_foreign = is_system(name) || name == "information_schema";
                    (name, place) = (inner, place + 2);
                }
                let is_function =
                    tokens.get(place) == Some(&Token::Open) && !tokens.get(place.wrapping_sub(2)).is_some_and(|t| t.is_word("INTO"));
                base = Some(name).filter(|name| !is_function && !is_foreign && !ctes.contains(name));
                if is_function {
                    place = after_group(tokens, place);
                }
                self.0.push((name, base));
            }
            if tokens.get(place).is_some_and(|token| token.is_word("AS")) {
                place += 1;
            }
            if let Some(alias) = tokens.get(place).and_then(Token::name) {
                self.0.push((alias, base));
                place += 1;
            }
            if tokens.get(place) != Some(&Token::Comma) {
                return;
            }
            place += 1;
        }
    }

    /// The table behind a name in the statement.
    pub(super) fn base(&self, name: &str) -> Option<&'s str> {
        self.0.iter().rfind(|(known, _)| *known == name).and_then(|(_, base)| *base)
    }

    fn bases(&self) -> Vec<&'s str> {
        let mut bases: Vec<&str> = self.0.iter().filter_map(|(_, base)| *base).collect();
        bases.sort_unstable();
        bases.dedup();
        bases
    }

    /// A column that is named alone, if only one table can have it.
    pub(super) fn only_column(&self, column: &str, entities: &Entities) -> Option<Column> {
        let mut found = self.bases().into_iter().filter_map(|base| entities.table(base)?.get(column));
        let only = found.next()?;
        found.next().is_none().then(|| only.clone())
    }

    /// All columns that only one of the tables has, or that are the same in each.
    pub(super) fn all_columns(&self, entities: &Entities) -> HashMap<String, Column> {
        let mut all: HashMap<String, Option<Column>> = HashMap::new();
        for (name, column) in self.bases().into_iter().filter_map(|base| entities.table(base)).flatten() {
            all.entry(name.clone())
                .and_modify(|known| *known = known.take().filter(|known| known == column))
                .or_insert_with(|| Some(column.clone()));
        }
        all.into_iter().filter_map(|(name, column)| Some((name, column?))).collect()
    }
}

/// Names that WITH gives.
fn common_tables<'s>(at_top: &[(usize, &Token<'s>)]) -> Vec<&'s str> {
    if !at_top.first().is_some_and(|(_, token)| token.is_word("WITH")) {
        return Vec::new();
    }
    const VERBS: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];
    at_top
        .iter()
        .take_while(|(_, token)| !VERBS.iter().any(|verb| token.is_word(verb)))
        .filter_map(|(_, token)| token.name())
        .collect()
}
