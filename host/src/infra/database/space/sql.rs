//! Words of SQL texts, exact enough to tell keywords from strings, names and comments.

use crate::ports::database::Dialect;

/// A piece of SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or a bare name.
    Word(&'a str),
    /// A string, a quoted name, a number.
    Literal,
    /// Anything else, one character.
    Symbol(u8),
}

/// The pieces of a text, without comments and white space.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    sql: &'a str,
    at: usize,
    dialect: Dialect,
}

impl<'a> Tokens<'a> {
    pub(super) const fn new(sql: &'a str, dialect: Dialect) -> Self {
        Self { sql, at: 0, dialect }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.sql.as_bytes().get(self.at + ahead).copied()
    }

    fn starts(&self, with: &str) -> bool {
        self.sql
            .as_bytes()
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(with.as_bytes()))
    }

    /// Past the next `end`, or to the end of the text.
    fn skip_past(&mut self, end: &str) {
        let rest = self.sql.as_bytes().get(self.at..).unwrap_or_default();
        let found = rest.windows(end.len()).position(|window| window == end.as_bytes());
        self.at = found.map_or(self.sql.len(), |found| self.at + found + end.len());
    }

    /// Past a comment of the form `/* */`; PostgreSQL's nest.
    fn skip_block(&mut self) {
        self.at += 2;
        if self.dialect == Dialect::Sqlite {
            return self.skip_past("*/");
        }
        let mut depth = 1_u32;
        while depth > 0 && self.at < self.sql.len() {
            if self.starts("/*") {
                depth += 1;
                self.at += 2;
            } else if self.starts("*/") {
                depth -= 1;
                self.at += 2;
            } else {
                self.at += 1;
            }
        }
    }

    /// Past a quoted piece that opened with `quote`; the quote doubled stands for itself.
    fn skip_quoted(&mut self, quote: u8, backslash: bool) {
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            if backslash && byte == b'\\' {
                self.at += 2;
            } else if byte != quote {
                self.at += 1;
            } else if self.peek(1) == Some(quote) {
                self.at += 2;
            } else {
                self.at += 1;
                return;
            }
        }
        self.at = self.at.min(self.sql.len());
    }

    /// Past `$tag$ ... $tag$`; false when this is no such thing.
    fn skip_dollar(&mut self) -> bool {
        let rest = self.sql.get(self.at..).unwrap_or_default();
        let Some(length) = rest.bytes().skip(1).position(|byte| byte == b'$') else {
            return false;
        };
        let tag = rest.get(..length + 2).unwrap_or_default();
        let name = tag.trim_matches('$');
        if name.starts_with(|first: char| first.is_ascii_digit()) || !name.bytes().all(is_word) {
            return false;
        }
        self.at += tag.len();
        self.skip_past(tag);
        true
    }

    fn word(&mut self) -> Token<'a> {
        let from = self.at;
        while self.peek(0).is_some_and(|byte| is_word(byte) || byte == b'$') {
            self.at += 1;
        }
        Token::Word(self.sql.get(from..self.at).unwrap_or_default())
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let postgres = self.dialect == Dialect::Postgres;
        loop {
            let byte = self.peek(0)?;
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => self.at += 1,
                b'-' if self.starts("--") => self.skip_past("\n"),
                b'/' if self.starts("/*") => self.skip_block(),
                b'\'' | b'"' => {
                    self.skip_quoted(byte, false);
                    return Some(Token::Literal);
                }
                b'`' if !postgres => {
                    self.skip_quoted(byte, false);
                    return Some(Token::Literal);
                }
                b'[' if !postgres => {
                    self.skip_past("]");
                    return Some(Token::Literal);
                }
                b'e' | b'E' if postgres && self.peek(1) == Some(b'\'') => {
                    self.at += 1;
                    self.skip_quoted(b'\'', true);
                    return Some(Token::Literal);
                }
                b'$' if postgres && self.skip_dollar() => return Some(Token::Literal),
                b'0'..=b'9' => {
                    self.word();
                    return Some(Token::Literal);
                }
                _ if is_word(byte) => return Some(self.word()),
                _ => {
                    self.at += 1;
                    return Some(Token::Symbol(byte));
                }
            }
        }
    }
}

impl Token<'_> {
    /// Whether it is this keyword.
    pub(super) const fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    /// Whether it is one of these keywords.
    pub(super) fn is_any(&self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.is(keyword))
    }
}

/// The statements of a text, each as its pieces; empty ones are left out. `CREATE TRIGGER` reaches to its `END` on SQLite.
pub(super) fn statements(sql: &str, dialect: Dialect) -> Vec<Vec<Token<'_>>> {
    let mut all = Vec::new();
    let mut current = Vec::new();
    for token in Tokens::new(sql, dialect) {
        if token != Token::Symbol(b';') {
            current.push(token);
        } else if !is_open_body(&current, dialect) {
            all.push(std::mem::take(&mut current));
        } else {
            current.push(token);
        }
    }
    all.push(current);
    all.retain(|statement| !statement.is_empty());
    all
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Whether these pieces are a trigger, or a routine in SQL, whose body has not ended yet.
fn is_open_body(pieces: &[Token<'_>], dialect: Dialect) -> bool {
    let mut head = pieces.iter();
    if !head.next().is_some_and(|first| first.is("CREATE")) {
        return false;
    }
    match dialect {
        Dialect::Sqlite => {
            let second = head.find(|token| !token.is_any(&["TEMP", "TEMPORARY"]));
            second.is_some_and(|second| second.is("TRIGGER")) && !is_closed(pieces)
        }
        Dialect::Postgres => {
            let atomic = pieces
                .windows(2)
                .any(|pair| matches!(pair, [begin, atomic] if begin.is("BEGIN") && atomic.is("ATOMIC")));
            atomic && !is_closed(pieces)
        }
    }
}

/// Whether a body has ended: an `END` of its own, not that of a `CASE`.
fn is_closed(pieces: &[Token<'_>]) -> bool {
    matches!(pieces, [.., before, end] if end.is("END") && (*before == Token::Symbol(b';') || before.is("ATOMIC")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(sql: &str, dialect: Dialect) -> Vec<&str> {
        Tokens::new(sql, dialect)
            .filter_map(|token| match token {
                Token::Word(word) => Some(word),
                Token::Literal | Token::Symbol(_) => None,
            })
            .collect()
    }

    #[test]
    fn keywords_in_strings_names_and_comments_are_not_words() {
        let sql = "SELECT 'attach '' b', \"attach\", `attach`, [attach], x'00' -- attach\n/* attach /* */ FROM t";
        assert_eq!(words(sql, Dialect::Sqlite), ["SELECT", "x", "FROM", "t"]);
        let sql = "SELECT E'a\\' attach', $x$ attach $y$ $x$, $$ attach $$, $1, /* a /* b */ attach */ b FROM t";
        assert_eq!(words(sql, Dialect::Postgres), ["SELECT", "b", "FROM", "t"]);
    }

    #[test]
    fn a_text_falls_into_its_statements() {
        for (sql, expected) in [
            ("", 0),
            (";; -- nothing\n;", 0),
            ("SELECT 1; SELECT ';'", 2),
            (
                "CREATE TRIGGER a AFTER INSERT ON t BEGIN DELETE FROM t; DELETE FROM u; END; SELECT 1",
                2,
            ),
            (
                "CREATE TEMP TRIGGER a AFTER INSERT ON t BEGIN SELECT CASE WHEN 1 THEN 2 END; DELETE FROM u; END; SELECT 1",
                2,
            ),
            ("CREATE TABLE a (b); ATTACH 'x' AS y", 2),
        ] {
            assert_eq!(statements(sql, Dialect::Sqlite).len(), expected, "{sql}");
        }
        assert_eq!(statements("DO $$ BEGIN a; b; END $$; SELECT 1", Dialect::Postgres).len(), 2);
    }

    #[test]
    fn what_is_not_finished_ends_with_the_text() {
        for sql in ["'abc", "\"", "[x", "/* x", "-- x", "$x$ y", "E'\\", "$"] {
            for dialect in [Dialect::Sqlite, Dialect::Postgres] {
                assert!(words(sql, dialect).len() <= 2, "{sql}");
            }
        }
    }
}
