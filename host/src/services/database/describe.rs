//! What a span says of a statement: its kind, its table, and its text with every literal taken out.
//!
//! Arguments of statements are never here. Text of a module may have literals in it all the same, so each becomes `?`, as OpenTelemetry
//! asks for `db.query.text`.

/// Longest text that is shown, in bytes.
const LONGEST: usize = 1_024;

/// What is said of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Description {
    /// `SELECT posts`, or the operation alone.
    pub(super) summary: String,
    /// `SELECT`.
    pub(super) operation: String,
    /// The text without literals.
    pub(super) text: String,
}

/// Looks at a statement. What is no SQL makes no sense, and no failure.
pub(super) fn describe(sql: &str) -> Description {
    let text = without_literals(sql);
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | ';'))
        .filter(|word| !word.is_empty())
        .take(200)
        .collect();
    let operation = words.first().map(|word| word.to_ascii_uppercase()).unwrap_or_default();
    let operation: String = operation.chars().filter(char::is_ascii_alphabetic).take(20).collect();
    let table = table(&operation, &words);
    let summary = match &table {
        Some(table) => format!("{operation} {table}"),
        None if operation.is_empty() => "SQL".to_owned(),
        None => operation.clone(),
    };
    Description { summary, operation, text }
}

/// The first table that is named where the operation has it.
fn table(operation: &str, words: &[&str]) -> Option<String> {
    let before = match operation {
        "SELECT" | "DELETE" | "WITH" => "FROM",
        "INSERT" | "REPLACE" => "INTO",
        "UPDATE" => "UPDATE",
        _ => return None,
    };
    let at = words.iter().position(|word| word.eq_ignore_ascii_case(before))?;
    let name = words.get(at + 1)?;
    let name: String = name
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, '_' | '.'))
        .take(100)
        .collect();
    Some(name).filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("select"))
}

/// Strings, numbers and blobs become `?`, comments go. Quoted names (`"posts"`) and placeholders (`$1`, `?`) stay. Whatever a
/// string may look like in one dialect is taken for one.
fn without_literals(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len().min(LONGEST));
    let mut rest = sql;
    while let Some(c) = rest.chars().next() {
        if out.len() >= LONGEST {
            out.push_str("...");
            break;
        }
        let length = match c {
            '\'' => quoted(rest, '\'', has_escapes(&out)),
            '$' => dollar_quoted(rest).unwrap_or(0),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '0'..='9' if !ends_in_word(&out) => number(rest),
            _ => 0,
        };
        if length == 0 {
            let own = match c {
                '"' | '`' => quoted(rest, c, false),
                '$' | '?' => 1 + digits(rest.get(1..).unwrap_or_default()),
                c => c.len_utf8(),
            };
            let (kept, after) = rest.split_at(own);
            match c {
                c if !c.is_whitespace() => out.push_str(kept),
                _ if out.ends_with(' ') => {}
                _ => out.push(' '),
            }
            rest = after;
            continue;
        }
        match c {
            '-' | '/' if out.ends_with(' ') => {}
            '-' | '/' => out.push(' '),
            _ => {
                // The letter before a literal is a part of it: x'00', E'\n'.
                if c == '\'' && out.ends_with(['x', 'X', 'b', 'B', 'e', 'E', 'n', 'N']) && is_prefix(&out) {
                    out.pop();
                }
                out.push('?');
            }
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    out.trim().to_owned()
}

/// How long a quoted piece is, with both quotes; to the end of the text when it does not end. A quote in it is written twice.
fn quoted(text: &str, quote: char, has_escapes: bool) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && has_escapes {
            chars.next();
        } else if c == quote && chars.next_if(|(_, next)| *next == quote).is_none() {
            return at + c.len_utf8();
        }
    }
    text.len()
}

/// PostgreSQL's `$$text$$` and `$tag$text$tag$`; none for a placeholder.
fn dollar_quoted(text: &str) -> Option<usize> {
    let end = text.get(1..)?.find('$')? + 2;
    let tag = text.get(..end)?;
    let name = tag.trim_matches('$');
    let is_tag = !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !is_tag {
        return None;
    }
    let body = text.get(end..)?;
    Some(body.find(tag).map_or(text.len(), |at| end + at + tag.len()))
}

/// How long a number is: digits, a point, an exponent, hexadecimal digits.
fn number(text: &str) -> usize {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
    let mut length = text.find(|c: char| !is_part(c)).unwrap_or(text.len());
    let ends_in_exponent = text
        .get(..length)
        .is_some_and(|number| number.ends_with(['e', 'E']) && !number.starts_with("0x"));
    if ends_in_exponent && text.get(length..).is_some_and(|rest| rest.starts_with(['+', '-'])) {
        length += 1 + digits(text.get(length + 1..).unwrap_or_default());
    }
    length
}

fn digits(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())
}

/// Whether a digit that follows belongs to a name.
fn ends_in_word(text: &str) -> bool {
    text.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '?' | '"'))
}

/// Whether the last letter stands alone.
fn is_prefix(text: &str) -> bool {
    let before = text
        .char_indices()
        .next_back()
        .map_or("", |(at, _)| text.get(..at).unwrap_or_default());
    !ends_in_word(before)
}

fn has_escapes(text: &str) -> bool {
    text.ends_with(['e', 'E']) && is_prefix(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_named_by_its_operation_and_table() {
        for (sql, summary) in [
            ("SELECT \"id\" FROM \"posts\" WHERE \"id\" = $1", "SELECT posts"),
            ("select count(*) from wharf_queue where kind=?", "SELECT wharf_queue"),
            ("INSERT INTO \"blog\".\"posts\" (\"id\") VALUES ($1)", "INSERT blog.posts"),
            ("UPDATE posts SET title = $1", "UPDATE posts"),
            ("DELETE FROM posts", "DELETE posts"),
            ("WITH found AS (SELECT 1 FROM tags) SELECT * FROM found", "WITH tags"),
            ("SELECT 1", "SELECT"),
            ("SELECT * FROM (SELECT 1) AS one", "SELECT"),
            ("PRAGMA table_info(posts)", "PRAGMA"),
            ("-- first\nDELETE FROM a", "DELETE a"),
            ("", "SQL"),
            ("'; DROP", "SQL"),
        ] {
            assert_eq!(describe(sql).summary, summary, "{sql}");
        }
    }

    #[test]
    fn no_literal_is_left_in_the_text() {
        for (sql, text) in [
            ("SELECT 'canary', 42, -1.5e-3, x'c0ffee', TRUE", "SELECT ?, ?, -?, ?, TRUE"),
            ("WHERE a = 'it''s canary' AND b1 = 7", "WHERE a = ? AND b1 = ?"),
            ("VALUES ($1, $12, ?3, ?)", "VALUES ($1, $12, ?3, ?)"),
            ("SELECT $$canary$$, $tag$a $$canary$$ b$tag$, $1", "SELECT ?, ?, $1"),
            ("SELECT E'\\'canary', e'x', name'canary'", "SELECT ?, ?, name?"),
            ("SELECT \"a 'quoted' name\", `x 1`, t.c2", "SELECT \"a 'quoted' name\", `x 1`, t.c2"),
            ("SELECT 1 -- canary\n, 2 /* canary */ + 3", "SELECT ? , ? + ?"),
            ("SELECT 'canary", "SELECT ?"),
            ("SELECT /* canary", "SELECT"),
            ("SELECT 0xcafe, 1e+9, 1.", "SELECT ?, ?, ?"),
        ] {
            assert_eq!(describe(sql).text, text, "{sql}");
        }
        let long = describe(&format!("SELECT {}", "ä, ".repeat(5_000)));
        assert!(long.text.len() < LONGEST + 10 && long.text.ends_with("..."), "{}", long.text.len());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_looked_at_without_a_panic_and_quoted_text_is_gone(before in "[^'\"`$/-]{0,20}", secret in "[^'\\\\]{0,20}", any in ".{0,60}") {
            let text = describe(&format!("{before} 'canary{secret}' {any}")).text;
            proptest::prop_assert!(!text.contains("canary") || any.contains("canary"));
            let _ = describe(&any);
        }
    }
}
