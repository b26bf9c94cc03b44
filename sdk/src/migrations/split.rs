//! SQL split into statements.

/// The statements of a text. A `;` in quotes, comments, dollar quotes, or between BEGIN and END of a trigger separates none.
pub(super) fn statements(sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut statement = String::new();
    let mut rest = sql;
    while !rest.is_empty() {
        let length = piece(rest);
        let (piece, after) = rest.split_at(length);
        rest = after;
        if piece == ";" && !is_inside_trigger(&statement) {
            keep(&mut found, &mut statement);
        } else {
            statement.push_str(piece);
        }
    }
    keep(&mut found, &mut statement);
    found
}

fn keep(found: &mut Vec<String>, statement: &mut String) {
    let text = statement.trim();
    if !text.is_empty() {
        found.push(text.to_owned());
    }
    statement.clear();
}

/// The length of what belongs together at the start of a text.
fn piece(rest: &str) -> usize {
    let whole = rest.len();
    let first = rest.chars().next().map_or(1, char::len_utf8);
    let until = |end: &str, from: usize| {
        let place = rest.get(from..).and_then(|rest| rest.find(end));
        place.map_or(whole, |place| from + place + end.len())
    };
    if rest.starts_with('\'') || rest.starts_with('"') {
        // A doubled quote ends one piece and begins the next.
        return until(&rest[..1], 1);
    }
    if rest.starts_with("--") {
        return until("\n", 2);
    }
    if rest.starts_with("/*") {
        return until("*/", 2);
    }
    if rest.starts_with('$')
        && let Some(end) = rest.get(1..).and_then(|rest| rest.find('$'))
        && let Some(tag) = rest.get(..end + 2)
        && tag.trim_matches('$').chars().all(|c| c.is_alphanumeric() || c == '_')
    {
        return until(tag, tag.len());
    }
    first
}

/// SQLite's triggers hold statements of their own, each with its `;`.
fn is_inside_trigger(statement: &str) -> bool {
    let words: Vec<String> = statement
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_uppercase)
        .collect();
    let is_trigger = words.first().is_some_and(|word| word == "CREATE") && words.iter().take(4).any(|word| word == "TRIGGER");
    let begins = words.iter().filter(|word| *word == "BEGIN" || *word == "CASE").count();
    let ends = words.iter().filter(|word| *word == "END").count();
    is_trigger && begins > ends
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn semicolons_separate_only_between_statements() {
        for (sql, wanted) in [
            ("a; b ;; c;", vec!["a", "b", "c"]),
            (
                "insert into t values ('x;y', \";\"); b",
                vec!["insert into t values ('x;y', \";\")", "b"],
            ),
            ("a 'it''s;' ; b", vec!["a 'it''s;'", "b"]),
            ("a -- no; end\n; b", vec!["a -- no; end", "b"]),
            ("a /* ; */ ; b", vec!["a /* ; */", "b"]),
            ("do $$ begin x; end $$; b", vec!["do $$ begin x; end $$", "b"]),
            ("do $f$ x; $f$; select $1; c", vec!["do $f$ x; $f$", "select $1", "c"]),
            (
                "create trigger t after insert on a begin update b set x = 1; delete from c; end; d",
                vec![
                    "create trigger t after insert on a begin update b set x = 1; delete from c; end",
                    "d",
                ],
            ),
            (" \n ", vec![]),
            ("'unclosed; x", vec!["'unclosed; x"]),
        ] {
            assert_eq!(statements(sql), wanted, "{sql}");
        }
    }
}
