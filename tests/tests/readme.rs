//! The README's five minutes and the author's first module, done as the pages say in a copy of the clone: commands, files, outputs.
//!
//! Both mark their fenced blocks. `sh test`: commands that end; a `text` block right after it is what they print.
//! `sh NAME`: a command in a terminal of its own that goes on; `text NAME`: lines that appear there from then on.
//! `LANGUAGE file=PATH`: the content of a file. In outputs `...` stands for any text, and on a line alone for any lines.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests, one of which shows how long something took"
)]

#[path = "readme/blocks.rs"]
mod blocks;
#[path = "readme/clone.rs"]
mod clone;
#[path = "readme/edits.rs"]
mod edits;
#[path = "readme/terminal.rs"]
mod terminal;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use blocks::{Block, Kind, blocks, matches};
use clone::Clone;
use terminal::Terminal;

/// Builds are part of it, on machines that do other things too.
const LIMIT: Duration = Duration::from_secs(900);

/// Somebody who follows the README.
struct Reader<'a> {
    page: &'static str,
    clone: &'a Clone,
    /// `export` lines so far: they count in every later command.
    exports: String,
    terminals: BTreeMap<String, Terminal>,
    last: String,
}

#[test]
fn the_five_minutes_of_the_readme_work_as_written() {
    let (runs, outputs) = follow("README.md");
    assert!(runs >= 5 && outputs >= 5, "the README lost its commands");
}

#[test]
fn the_module_from_nothing_comes_out_as_wharf_new_makes_it() {
    const PAGE: &str = "docs/module-author/tutorial.md";
    let page = fs::read_to_string(wharf_tests::root().join(PAGE)).expect("the tutorial can be read");
    let written: BTreeMap<String, String> = blocks(&page)
        .into_iter()
        .filter_map(|block| match block.kind {
            // Of a file that is written twice the last one counts.
            Kind::File(path) => Some((path.strip_prefix("plugins/notebook/")?.to_owned(), block.text)),
            _ => None,
        })
        .collect();
    let starter = wharf_tests::root().join("examples/starter");
    for file in [
        "Cargo.toml",
        "wharf.toml",
        "config.schema.json",
        "src/lib.rs",
        "src/note.rs",
        "tests/module.rs",
    ] {
        let made = fs::read_to_string(starter.join(file)).expect("a file of the starter");
        let made = made.replace("Starter", "Notebook").replace("starter", "notebook");
        assert_eq!(written.get(file), Some(&made), "{PAGE} differs from examples/starter in {file}");
    }
    let (runs, outputs) = follow(PAGE);
    assert!(runs >= 4 && outputs >= 4, "the tutorial lost its commands");
}

/// Does what a page says, in a copy of the clone. Gives how many commands and outputs there were.
fn follow(page: &'static str) -> (usize, usize) {
    let text = fs::read_to_string(wharf_tests::root().join(page)).expect("the page can be read");
    let clone = Clone::make();
    let mut reader = Reader {
        page,
        clone: &clone,
        exports: String::new(),
        terminals: BTreeMap::new(),
        last: String::new(),
    };
    let blocks = blocks(&text);
    let count = |kind: fn(&Kind) -> bool| blocks.iter().filter(|block| kind(&block.kind)).count();
    for block in &blocks {
        reader.follow(block);
    }
    (count(|kind| matches!(kind, Kind::Run)), count(|kind| matches!(kind, Kind::Output)))
}

impl Reader<'_> {
    fn follow(&mut self, block: &Block) {
        let at = format!("{}:{}", self.page, block.line);
        let text = self.clone.localised(&block.text);
        match &block.kind {
            Kind::Run => self.last = self.run(&text, &at),
            Kind::Output => {
                let last = self.clone.generalised(&self.last);
                assert!(
                    matches(&block.text, &last),
                    "{at}: the page says\n{}\nand it printed\n{last}\n{}",
                    block.text,
                    self.state()
                );
            }
            Kind::Terminal(name) => {
                let command = self.command(&format!("{}exec {text}", self.exports));
                let before = self.terminals.insert(name.clone(), Terminal::start(command));
                assert!(before.is_none(), "{at}: terminal {name} is in use");
            }
            Kind::Appears(name) => {
                let expected: Vec<String> = text.lines().map(str::to_owned).collect();
                let terminal = self
                    .terminals
                    .get_mut(name)
                    .unwrap_or_else(|| panic!("{at}: there is no terminal {name}"));
                let outcome = terminal.wait_for(&expected, LIMIT);
                outcome.unwrap_or_else(|missing| panic!("{at}: {missing:?} did not appear\n{}", self.state()));
            }
            Kind::File(path) => {
                let path = self.clone.folder().join(path);
                let made = path.parent().map_or(Ok(()), fs::create_dir_all);
                made.and_then(|()| fs::write(&path, &block.text))
                    .unwrap_or_else(|error| panic!("{at}: {}: {error}", path.display()));
            }
        }
    }

    fn run(&mut self, script: &str, at: &str) -> String {
        let Output { status, stdout, stderr } = self
            .command(&format!("set -eu\n{}{script}", self.exports))
            .output()
            .unwrap_or_else(|error| panic!("{at}: {error}"));
        let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        assert!(status.success(), "{at}: {status}\n{script}\n{stdout}{stderr}\n{}", self.state());
        for line in script.lines().filter(|line| line.starts_with("export ")) {
            self.exports.push_str(line);
            self.exports.push('\n');
        }
        stdout.into_owned() + &stderr
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(self.clone.folder());
        self.clone.environment(&mut command);
        command
    }

    /// Everything that may tell why something failed.
    fn state(&self) -> String {
        let terminals = self.terminals.iter();
        terminals
            .map(|(name, terminal)| format!("--- terminal {name}:\n{}\n", terminal.output()))
            .collect()
    }
}

#[test]
fn the_copy_of_the_clone_has_what_git_knows_and_nothing_else() {
    let clone = Clone::make();
    for (path, there) in [
        ("Cargo.toml", true),
        ("plugins/greeter/wharf.toml", true),
        (".git", false),
        (".wharf", false),
    ] {
        assert_eq!(clone.folder().join(path).exists(), there, "{path}");
    }
    assert!(Path::new(&clone.folder().join("target")).is_symlink());
}
