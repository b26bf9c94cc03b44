//! The marked blocks of the README, and what counts as the output it shows.

/// One marked block.
pub(crate) struct Block {
    pub(crate) kind: Kind,
    /// Line of the README where it begins.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// What a block is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `sh test`: commands that end.
    Run,
    /// `text` right after `sh test`: what they print.
    Output,
    /// `sh NAME`: a command that goes on in a terminal of its own.
    Terminal(String),
    /// `text NAME`: lines that appear in that terminal.
    Appears(String),
    /// `LANGUAGE file=PATH`: a file.
    File(String),
}

/// All marked blocks in order.
pub(crate) fn blocks(readme: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut lines = readme.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```") else { continue };
        let body: Vec<&str> = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
        let follows_a_run = found.last().is_some_and(|block| block.kind == Kind::Run);
        if let Some(kind) = kind(info, follows_a_run) {
            found.push(Block {
                kind,
                line: number + 1,
                text: body.join("\n") + "\n",
            });
        }
    }
    found
}

fn kind(info: &str, follows_a_run: bool) -> Option<Kind> {
    match info.split_once(' ').map_or((info, ""), |(language, mark)| (language, mark)) {
        ("sh", "test") => Some(Kind::Run),
        ("sh", "") => None,
        ("sh", name) => Some(Kind::Terminal(name.to_owned())),
        ("text", "") if follows_a_run => Some(Kind::Output),
        ("text", name) if !name.is_empty() => Some(Kind::Appears(name.to_owned())),
        (_, mark) => mark.strip_prefix("file=").map(|path| Kind::File(path.to_owned())),
    }
}

/// Whether an output is the one that is shown. Runs of spaces are one space; `...` is any text, alone any lines.
pub(crate) fn matches(shown: &str, printed: &str) -> bool {
    let shown: Vec<&str> = shown.trim_end().lines().collect();
    let printed: Vec<&str> = printed.trim_end().lines().collect();
    lines_match(&shown, &printed)
}

fn lines_match(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first.trim() == "..." => {
            (0..=printed.len()).any(|from| lines_match(rest, printed.get(from..).unwrap_or_default()))
        }
        Some((first, rest)) => printed
            .split_first()
            .is_some_and(|(line, below)| line_matches(first, line) && lines_match(rest, below)),
    }
}

/// Whether a line is the one that is shown.
pub(crate) fn line_matches(shown: &str, printed: &str) -> bool {
    let (shown, printed) = (plain(shown), plain(printed));
    let mut parts = shown.split("...");
    let Some(mut rest) = parts.next().and_then(|start| printed.strip_prefix(start)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((end, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(end)
}

fn plain(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn an_output_that_differs_is_no_match() {
    for (shown, printed, same) in [
        ("a b", "a   b\n", true),
        ("a b", "a c", false),
        ("a ... c", "a 12 b c", true),
        ("a ... c", "a 12 b d", false),
        ("a\n...\nd", "a\nb\nc\nd", true),
        ("a\n...\nd", "a\nd", true),
        ("a\n...", "b", false),
        ("a", "a\nb", false),
        ("... x ...", "one x two", true),
    ] {
        assert_eq!(matches(shown, printed), same, "{shown:?} {printed:?}");
    }
}

#[test]
fn only_marked_blocks_count() {
    let readme = "```sh\nno\n```\n```sh test\none\n```\n```text\nout\n```\n```text\nno\n```\n```sh dev\ntwo\n```\n```text dev\nseen\n```\n```rust file=a.rs\nthree\n```\n";
    let found: Vec<(Kind, usize)> = blocks(readme).into_iter().map(|block| (block.kind, block.line)).collect();
    let expected = [
        (Kind::Run, 4),
        (Kind::Output, 7),
        (Kind::Terminal("dev".into()), 13),
        (Kind::Appears("dev".into()), 16),
        (Kind::File("a.rs".into()), 19),
    ];
    assert_eq!(found, expected);
}
