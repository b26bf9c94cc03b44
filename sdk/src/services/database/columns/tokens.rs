//! SQL as tokens: names, words and the few signs that matter here.

/// A piece of SQL. What is neither of these (numbers, strings, operators, arguments) is `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'s> {
    /// In double quotes.
    Quoted(&'s str),
    /// A keyword or a name without quotes.
    Word(&'s str),
    Dot,
    Comma,
    Star,
    Open,
    Close,
    Other,
}

/// Words that are never the name or the alias of a table or column here.
const KEYWORDS: [&str; 44] = [
    "ALL",
    "AND",
    "AS",
    "BY",
    "CROSS",
    "DEFAULT",
    "DELETE",
    "DISTINCT",
    "DO",
    "EXCEPT",
    "FOR",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IN",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "LATERAL",
    "LEFT",
    "LIMIT",
    "NATURAL",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "ONLY",
    "OR",
    "ORDER",
    "OUTER",
    "RECURSIVE",
    "RETURNING",
    "RIGHT",
    "SELECT",
    "SET",
    "UNION",
    "UPDATE",
    "USING",
    "VALUES",
    "WHERE",
];

impl<'s> Token<'s> {
    pub(super) fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(found) if found.eq_ignore_ascii_case(word))
    }

    /// The name in it, if it is one.
    pub(super) fn name(&self) -> Option<&'s str> {
        match self {
            Self::Quoted(name) => Some(name),
            Self::Word(word)
                if !KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)) && !word.eq_ignore_ascii_case("WITH") =>
            {
                Some(word)
            }
            _ => None,
        }
    }
}

/// Reads all of it.
pub(super) fn tokens(sql: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let (token, length) = next(rest, first);
        found.extend(token);
        rest = rest.get(length.max(first.len_utf8())..).unwrap_or_default();
    }
    found
}

fn next(rest: &str, first: char) -> (Option<Token<'_>>, usize) {
    let sign = |token| (Some(token), 1);
    match first {
        '.' => sign(Token::Dot),
        ',' => sign(Token::Comma),
        '*' => sign(Token::Star),
        '(' => sign(Token::Open),
        ')' => sign(Token::Close),
        '"' => {
            let (inside, length) = quoted(rest, '"');
            (Some(Token::Quoted(inside)), length)
        }
        '\'' => (Some(Token::Other), quoted(rest, '\'').1),
        '-' if rest.starts_with("--") => (None, rest.find('\n').unwrap_or(rest.len())),
        '/' if rest.starts_with("/*") => (None, rest.find("*/").map_or(rest.len(), |end| end + 2)),
        '$' if dollar_tag(rest).is_some() => {
            let tag = dollar_tag(rest).unwrap_or_default();
            let end = rest.get(tag.len()..).and_then(|body| body.find(tag));
            (Some(Token::Other), end.map_or(rest.len(), |end| end + 2 * tag.len()))
        }
        first if first.is_alphabetic() || first == '_' => {
            let length = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
                .unwrap_or(rest.len());
            (rest.get(..length).map(Token::Word), length)
        }
        first if first.is_ascii_digit() || first == '$' || first == '?' => {
            let length = rest.char_indices().skip(1).find(|(_, c)| !c.is_alphanumeric() && *c != '.');
            (Some(Token::Other), length.map_or(rest.len(), |(place, _)| place))
        }
        first if first.is_whitespace() => (None, first.len_utf8()),
        first => (Some(Token::Other), first.len_utf8()),
    }
}

/// What is between quotes, and the length with them. A doubled quote does not end it.
fn quoted(rest: &str, quote: char) -> (&str, usize) {
    let mut marks = rest
        .char_indices()
        .skip(1)
        .filter(|(_, c)| *c == quote)
        .map(|(place, _)| place)
        .peekable();
    while let Some(place) = marks.next() {
        if marks.peek() == Some(&(place + 1)) {
            marks.next();
            continue;
        }
        return (rest.get(1..place).unwrap_or_default(), place + 1);
    }
    (rest.get(1..).unwrap_or_default(), rest.len())
}

/// `$$` or `$tag$` of PostgreSQL; `$1` is an argument.
fn dollar_tag(rest: &str) -> Option<&str> {
    let end = rest.get(1..)?.find('$')? + 1;
    let tag = rest.get(1..end)?;
    let is_tag = tag.chars().all(|c| c.is_alphanumeric() || c == '_') && !tag.starts_with(|c: char| c.is_ascii_digit());
    is_tag.then(|| rest.get(..=end)).flatten()
}

/// Tokens outside of parentheses, with their places.
pub(super) fn top_level<'t, 's>(tokens: &'t [Token<'s>]) -> Vec<(usize, &'t Token<'s>)> {
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        match token {
            Token::Open => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            token if depth == 0 => found.push((place, token)),
            _ => {}
        }
    }
    found
}

/// The place after the group in parentheses that begins at `place`; `place` itself when none does.
pub(super) fn after_group(tokens: &[Token<'_>], place: usize) -> usize {
    if tokens.get(place) != Some(&Token::Open) {
        return place;
    }
    let mut depth = 0_usize;
    for (offset, token) in tokens.iter().enumerate().skip(place) {
        match token {
            Token::Open => depth += 1,
            Token::Close => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return offset + 1;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// The items of a list.
pub(super) fn split_at_commas<'t, 's>(list: &'t [Token<'s>]) -> Vec<&'t [Token<'s>]> {
    if list.is_empty() {
        return Vec::new();
    }
    let commas: Vec<usize> = top_level(list)
        .iter()
        .filter(|(_, token)| **token == Token::Comma)
        .map(|(place, _)| *place)
        .collect();
    let starts = std::iter::once(0).chain(commas.iter().map(|place| place + 1));
    let ends = commas.iter().copied().chain([list.len()]);
    starts.zip(ends).filter_map(|(start, end)| list.get(start..end)).collect()
}
