//! Rules about single files. Each returns what it found, one line a finding.

use toml::{Table, Value as Toml};

use crate::source::{Source, code, has_word, is_word};

const SHOULD: usize = 450;
const MUST: usize = 700;

/// Folders whose work needs `unsafe`: the ABI, the two sides of the bridge, and the loader. Everywhere else
/// the compiler can vouch for what it does. Bad modules for tests are bad on purpose.
const UNSAFE: [&str; 6] = [
    "plugin-api",
    "bridge",
    "sdk/src/bridge",
    "sdk/macros",
    "host/src/modules",
    "tests/modules",
];

pub fn opens_with_a_sentence(source: &Source) -> Vec<String> {
    let applies = source.is_rust() && !source.is_generated();
    let opens = source
        .text
        .lines()
        .find(|line| !line.is_empty())
        .is_some_and(|line| line.starts_with("//! "));
    if applies && !opens {
        return vec![format!(
            "{}:1: does not open with a //! sentence that says what the file is about",
            source.path
        )];
    }
    Vec::new()
}

pub fn is_not_too_long(source: &Source) -> Vec<String> {
    if !source.is_rust() || source.is_generated() {
        return Vec::new();
    }
    let lines = source.text.lines().count();
    let reasoned = source.text.lines().any(|line| line.starts_with("//! Long because "));
    if lines > MUST {
        vec![format!("{}: {lines} lines, at most {MUST}: split it by subject", source.path)]
    } else if lines > SHOULD && !reasoned {
        vec![format!(
            "{}: {lines} lines, at most {SHOULD} unless a line `//! Long because ...` says why",
            source.path
        )]
    } else {
        Vec::new()
    }
}

pub fn is_no_mod_rs(source: &Source) -> Vec<String> {
    if source.path.ends_with("/mod.rs") {
        return vec![format!("{}: put it beside its folder, with the folder's name", source.path)];
    }
    Vec::new()
}

pub fn keeps_unsafe_in_its_place(source: &Source) -> Vec<String> {
    if !source.is_rust() || UNSAFE.iter().any(|place| source.is_in(place)) || source.path == "host/src/modules.rs" {
        return Vec::new();
    }
    let code = code(&source.text);
    let lines = code.lines().enumerate().filter(|(_, line)| has_word(line, "unsafe"));
    lines
        .map(|(index, _)| format!("{}:{}: unsafe belongs in {}", source.path, index + 1, UNSAFE.join(", ")))
        .collect()
}

pub fn justifies_unsafe(source: &Source) -> Vec<String> {
    if !source.is_rust() || source.is_generated() {
        return Vec::new();
    }
    let code = code(&source.text);
    let original: Vec<&str> = source.text.lines().collect();
    let mut findings = Vec::new();
    for (index, line) in code.lines().enumerate() {
        if !["unsafe {", "unsafe impl"]
            .iter()
            .any(|form| has_word(line, form) || line.contains(form))
        {
            continue;
        }
        // The comment stands above the statement, which may have begun some lines before the keyword.
        let above = &original[index.saturating_sub(8)..=index];
        if !above.iter().any(|line| line.contains("SAFETY:")) {
            findings.push(format!(
                "{}:{}: unsafe without a // SAFETY: comment above it that can be checked there",
                source.path,
                index + 1
            ));
        }
    }
    findings
}

/// `make test-servers` runs the tests with this word in their path, and no others.
pub fn names_tests_with_servers(source: &Source) -> Vec<String> {
    if !source.is_rust() || source.path.contains("servers") {
        return Vec::new();
    }
    let lines: Vec<&str> = source.text.lines().map(str::trim).collect();
    let gates = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.starts_with("#[cfg(") && line.contains("test") && line.contains("feature = \"servers\""));
    let item = |index: usize| {
        lines[index + 1..]
            .iter()
            .find(|line| !line.starts_with("#[") && !line.starts_with("//"))
    };
    gates
        .filter(|(index, _)| !item(*index).is_some_and(|line| line.contains("servers")))
        .map(|(index, _)| {
            format!(
                "{}:{}: tests with servers are in a module with `servers` in its name, else `make test-servers` passes them by",
                source.path,
                index + 1
            )
        })
        .collect()
}

pub fn names_no_machine(source: &Source) -> Vec<String> {
    // Put together here, so that this file does not break its own rule.
    let folders = [
        ["/ro", "ot/"].concat(),
        ["/ho", "me/"].concat(),
        ["/wo", "rk/"].concat(),
        ["/Us", "ers/"].concat(),
    ];
    let starts = |line: &str, folder: &str| {
        line.match_indices(folder)
            .any(|(at, _)| !line[..at].chars().next_back().is_some_and(|c| is_word(c) || ".-}/".contains(c)))
    };
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        if let Some(folder) = folders.iter().find(|folder| starts(line, folder)) {
            findings.push(format!(
                "{}:{number}: a path below {folder} exists on one machine only",
                source.path
            ));
        }
    }
    findings
}

pub fn skips_no_test(source: &Source) -> Vec<String> {
    if !source.is_rust() {
        return Vec::new();
    }
    let code = code(&source.text);
    let lines = code
        .lines()
        .enumerate()
        .filter(|(_, line)| line.replace(' ', "").contains("#[ignore"));
    lines
        .map(|(index, _)| {
            format!(
                "{}:{}: an ignored test is forgotten: mend it, or put it into tests/tests/servers.rs",
                source.path,
                index + 1
            )
        })
        .collect()
}

/// `hello-module` is what a newcomer reads first: one file, 40 lines of rustfmt's default width.
pub fn hello_stays_small(source: &Source) -> Vec<String> {
    let Some(file) = source.path.strip_prefix("examples/hello-module/src/") else {
        return Vec::new();
    };
    if file != "lib.rs" {
        return vec![format!("{}: hello-module is one file", source.path)];
    }
    let lines = source.text.lines().count();
    let mut findings = Vec::new();
    if lines > 40 {
        findings.push(format!("{}: {lines} lines, at most 40", source.path));
    }
    for (number, line) in source.lines().filter(|(_, line)| line.chars().count() > 100) {
        findings.push(format!("{}:{number}: {} columns, at most 100", source.path, line.chars().count()));
    }
    findings
}

pub fn uses_the_right_words(rules: &Table, source: &Source) -> Vec<String> {
    let read = source.is_rust() || [".md", ".proto", ".toml"].iter().any(|end| source.path.ends_with(end));
    if !read || source.is_generated() || source.is_in("tests/tidy") || source.path == "tests/tests/tidy.rs" {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        let line = line.to_lowercase();
        for rule in rules.get("words").and_then(Toml::as_array).into_iter().flatten() {
            let never = rule
                .get("never")
                .and_then(Toml::as_array)
                .into_iter()
                .flatten()
                .filter_map(Toml::as_str);
            for word in never.filter(|word| line.contains(word)) {
                let say = rule.get("say").and_then(Toml::as_str).unwrap_or_default();
                findings.push(format!("{}:{number}: {word}: say {say}", source.path));
            }
        }
    }
    findings
}

pub fn names_say_something(rules: &Table, source: &Source) -> Vec<String> {
    if !source.is_rust() || source.is_generated() {
        return Vec::new();
    }
    let never = rules["names"]["never"].as_array().unwrap();
    let empty = |name: &str| {
        parts(name)
            .into_iter()
            .find(|part| never.iter().any(|word| word.as_str() == Some(part)))
    };
    let mut findings = Vec::new();
    for component in source.path.trim_end_matches(".rs").split('/') {
        if let Some(part) = empty(component) {
            findings.push(format!("{}: a file named {part} can hold anything: name its subject", source.path));
        }
    }
    for (index, line) in code(&source.text).lines().enumerate() {
        let words: Vec<&str> = line.split(|c| !is_word(c)).collect();
        for pair in words
            .windows(2)
            .filter(|pair| ["mod", "struct", "enum", "trait", "type"].contains(&pair[0]))
        {
            if let Some(part) = empty(pair[1]) {
                findings.push(format!(
                    "{}:{}: {} is named {part}: name its subject",
                    source.path,
                    index + 1,
                    pair[1]
                ));
            }
        }
    }
    findings
}

/// The words of a name in `snake_case`, `kebab-case` or `CamelCase`, in lower case.
fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c == '-' || c.is_uppercase() {
            parts.push(String::new());
        }
        if is_word(c) && c != '_' {
            parts.last_mut().unwrap().extend(c.to_lowercase());
        }
    }
    parts
}
