//! Whole folders: one report, nothing executed, nothing left behind.

use std::fs;
use std::path::Path;
use std::process::Command;

use wharf_host::domain::graph::{Node, Standing};
use wharf_host::modules::place::PrivateFolder;
use wharf_host::modules::plan::{Report, check_file, check_folder, survey};

use super::fixture::{Library, Plugins, codes, context, good, manifest, manifest_from};

fn requiring(id: &str, version: &str, other: &str) -> Vec<u8> {
    let toml = format!("id = {id:?}\nversion = {version:?}\ndescription = \"A module\"\n[modules]\n{other}\n");
    Library::with(&manifest_from(&toml)).build()
}

#[test]
fn a_folder_gives_one_report_with_everything_in_it() {
    let plugins = Plugins::new();
    plugins.put("libgood.so", &good());
    plugins.put("libuser.so", &requiring("user", "1.0.0", "good = \"^1\""));
    plugins.put("liblonely.so", &requiring("lonely", "1.0.0", "gone = \"^1\""));
    plugins.put("libbad.so", b"\x7fELF");
    plugins.put("README.md", b"no library");
    plugins.put(".libpart.so", b"still being written");
    let report = check_folder(plugins.path(), &context(), &[]);
    assert_eq!(codes(&report.findings), ["inspect.truncated", "resolve.missing"]);
    assert_eq!(report.order, ["good", "user"]);
    let states: Vec<(String, bool)> = report
        .modules
        .iter()
        .map(|module| (module.file.file_name().unwrap().to_string_lossy().into_owned(), module.ok))
        .collect();
    let expected = [
        ("libbad.so", false),
        ("libgood.so", true),
        ("liblonely.so", false),
        ("libuser.so", true),
    ];
    assert_eq!(states, expected.map(|(name, ok)| (name.to_owned(), ok)));
    assert!(!report.is_ok());
}

#[test]
fn a_module_that_needs_a_refused_one_is_told_so() {
    let plugins = Plugins::new();
    plugins.put(
        "libgood.so",
        &Library::with(&manifest("good", "1.0.0")).arguments(&["-Wl,-rpath,/x"]).build(),
    );
    plugins.put("libuser.so", &requiring("user", "1.0.0", "good = \"^1\""));
    let report = check_folder(plugins.path(), &context(), &[]);
    assert_eq!(codes(&report.findings), ["inspect.run-path", "resolve.needs-refused"]);
}

#[test]
fn a_report_has_at_most_three_lines_a_finding_and_stable_json() {
    let plugins = Plugins::new();
    plugins.put("libbad.so", b"\x7fELF");
    let report = check_folder(plugins.path(), &context(), &[]);
    assert_eq!(
        report.to_string(),
        "refused libbad.so\n\
         error inspect.truncated libbad.so: the ELF header ends at byte 64, the file has 4\n  \
         why: a library that ends early kills the whole process when it is loaded\n  \
         fix: copy the file again, and rename it into place when it is complete\n"
    );
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["findings"][0]["code"], "inspect.truncated");
    assert_eq!(json["findings"][0]["stage"], "inspect");
    assert_eq!(json["modules"][0]["ok"], false);
    assert_eq!(serde_json::from_value::<Report>(json).unwrap(), report);
}

#[test]
fn nothing_a_library_says_moves_the_cursor() {
    let plugins = Plugins::new();
    plugins.put("lib\u{1b}[2J\n.so", b"\x1b[2J");
    let mut hostile = Library::with(&manifest("good", "1.0.0")).arguments(&["-Wl,-rpath,/\u{1b}[31m/\u{9b}2J"]);
    hostile.exports.push("wharf_root_v1_more".into());
    plugins.put("libhostile.so", &hostile.build());
    let text = check_folder(plugins.path(), &context(), &[]).to_string();
    assert!(text.contains("inspect.run-path"), "{text}");
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert_eq!(text.lines().count(), 2 + 2 * 3, "{text}");
}

/// A library that writes a file and ends the process as soon as it is loaded.
fn armed(trace: &Path) -> Vec<u8> {
    let mut library = Library::with(&manifest("bomb", "1.0.0"));
    library.kind = ["-shared", "-fPIC"].map(String::from).into();
    library.code = format!(
        "#include <stdio.h>\n#include <stdlib.h>\n\
         __attribute__((constructor)) static void boom(void) {{ FILE *f = fopen({:?}, \"w\"); fclose(f); abort(); }}",
        trace.display()
    );
    library.build()
}

#[test]
fn a_constructor_that_writes_a_file_and_aborts_never_runs() {
    let (plugins, elsewhere) = (Plugins::new(), Plugins::new());
    let trace = elsewhere.path().join("trace");
    let path = plugins.put("libbomb.so", &armed(&trace));

    let before = fs::read_dir(plugins.path()).unwrap().count();
    assert!(check_file(&path, &context()).is_ok());
    let report = check_folder(plugins.path(), &context(), &[]);
    assert_eq!(report.order, ["bomb"]);
    let private = PrivateFolder::create(&elsewhere.path().join("run"), ".so").unwrap();
    let verified = survey(plugins.path(), &context(), &[]).accepted.remove(0).store(&private).unwrap();
    assert!(!trace.exists());
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    assert!(!maps.contains("bomb"), "{maps}");
    assert_eq!(fs::read_dir(plugins.path()).unwrap().count(), before);

    // The same file, opened: it does what it threatens.
    let opener = elsewhere.path().join("open.c");
    fs::write(
        &opener,
        "#include <dlfcn.h>\nint main(int n, char **a) { return dlopen(a[n - 1], RTLD_NOW) ? 0 : 3; }\n",
    )
    .unwrap();
    let program = elsewhere.path().join("open");
    assert!(
        Command::new("cc")
            .arg("-o")
            .arg(&program)
            .arg(&opener)
            .arg("-ldl")
            .status()
            .unwrap()
            .success()
    );
    let status = Command::new(&program).arg(&verified.copy).status().unwrap();
    assert_eq!(status.code(), None, "killed by a signal");
    assert!(trace.exists());
}

#[test]
fn what_is_stored_is_what_was_checked_even_if_the_file_changed_since() {
    let plugins = Plugins::new();
    let private = Plugins::new();
    let path = plugins.put("libgood.so", &good());
    let survey = survey(plugins.path(), &context(), &[]);
    fs::write(&path, b"exchanged").unwrap();
    let folder = PrivateFolder::create(&private.path().join("run"), ".so").unwrap();
    let checked = survey.accepted.into_iter().next().unwrap();
    let verified = checked.store(&folder).unwrap();
    assert_eq!(fs::read(&verified.copy).unwrap(), good());
    assert_eq!(verified.manifest, manifest("good", "1.2.3"));
    let name = verified.copy.file_name().unwrap().to_str().unwrap().to_owned();
    assert_eq!(name, format!("good-{}-g1.so", &verified.hash[..16]));
}

fn running(manifest: &wharf_manifest::Manifest) -> Node {
    Node::new(manifest, Standing::Running, None)
}

#[test]
fn a_library_takes_the_place_of_the_running_module_it_replaces() {
    let plugins = Plugins::new();
    plugins.put("libgood.so", &good());
    let report = check_folder(plugins.path(), &context(), &[running(&manifest("good", "1.0.0"))]);
    assert_eq!(report.findings, []);
    assert_eq!(report.order, ["good"]);
}

#[test]
fn when_a_replacement_is_refused_the_others_are_judged_beside_the_running_one() {
    let plugins = Plugins::new();
    plugins.put("libgood.so", &good());
    plugins.put("libuser.so", &requiring("user", "1.0.0", "good = \"<1.2\""));
    let dependent = manifest_from("id = \"old\"\nversion = \"1.0.0\"\ndescription = \"A\"\n[modules]\ngood = \"<1.2\"\n");
    let others = [running(&manifest("good", "1.0.0")), running(&dependent)];
    let report = check_folder(plugins.path(), &context(), &others);
    assert_eq!(codes(&report.findings), ["resolve.breaks-dependent"], "{report}");
    assert_eq!(report.order, ["good", "old", "user"]);
    assert_eq!(report.modules.iter().map(|module| module.ok).collect::<Vec<_>>(), [false, true]);
}
