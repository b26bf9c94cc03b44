//! Stage 1: files and folders somebody else could have changed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

use wharf_host::modules::place::{Folder, PlaceRules};
use wharf_host::modules::plan::{check_file, check_folder};

use super::fixture::{Plugins, codes, context, good, set_mode};

fn rules() -> PlaceRules {
    PlaceRules::default()
}

fn check(path: &Path) -> Vec<String> {
    check_file(path, &context())
        .findings
        .into_iter()
        .map(|finding| finding.code)
        .collect()
}

#[test]
fn a_file_only_root_and_the_user_can_change_is_accepted() {
    let plugins = Plugins::new();
    let path = plugins.put("libgood.so", &good());
    assert_eq!(check(&path), [""; 0]);
}

#[test]
fn a_file_others_can_write_is_refused() {
    let plugins = Plugins::new();
    let path = plugins.put("libgood.so", &good());
    for mode in [0o664, 0o646, 0o666] {
        set_mode(&path, mode);
        assert_eq!(check(&path), ["place.file-writable"], "{mode:o}");
    }
}

#[test]
fn a_folder_or_an_ancestor_others_can_write_is_refused_even_when_it_is_sticky() {
    let plugins = Plugins::new();
    let (parent, folder) = (plugins.path().join("parent"), plugins.path().join("parent/modules"));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("libgood.so");
    fs::write(&path, good()).unwrap();
    set_mode(&path, 0o644);
    set_mode(&parent, 0o755);
    for (parent_mode, folder_mode, expected) in [
        (0o755, 0o755, vec![]),
        (0o755, 0o775, vec!["place.folder-writable"]),
        (0o755, 0o1777, vec!["place.folder-writable"]),
        (0o775, 0o755, vec!["place.ancestor-writable"]),
        (0o757, 0o757, vec!["place.ancestor-writable", "place.folder-writable"]),
    ] {
        set_mode(&parent, parent_mode);
        set_mode(&folder, folder_mode);
        assert_eq!(check(&path), expected, "{parent_mode:o} {folder_mode:o}");
    }
}

/// Gives a path to a stranger when the tests run as root; otherwise asks for another user than the one there is.
fn estrange(path: &Path) -> PlaceRules {
    let user = rustix_user();
    if user == 0 {
        chown(path, Some(12_345), None).unwrap();
        return rules();
    }
    PlaceRules { user: user + 1, ..rules() }
}

fn rustix_user() -> u32 {
    rules().user
}

#[test]
fn what_belongs_to_a_stranger_is_refused() {
    let plugins = Plugins::new();
    let folder = plugins.path().join("modules");
    fs::create_dir(&folder).unwrap();
    set_mode(&folder, 0o755);
    let file = folder.join("libgood.so");
    fs::write(&file, good()).unwrap();
    set_mode(&file, 0o644);

    let opened = Folder::open(&folder, &rules()).unwrap();
    let strange = estrange(&file);
    assert_eq!(
        codes(&opened.file(OsStr::new("libgood.so"), &strange).unwrap_err()),
        ["place.file-owner"]
    );

    let strange = estrange(&folder);
    assert!(codes(&Folder::open(&folder, &strange).unwrap_err()).contains(&"place.folder-owner"));

    if rustix_user() == 0 {
        chown(&folder, Some(0), None).unwrap();
    }
    let strange = estrange(plugins.path());
    let findings = Folder::open(&folder, &strange).unwrap_err();
    assert!(codes(&findings).contains(&"place.ancestor-owner"), "{findings:?}");
}

#[test]
fn a_link_is_never_followed_whether_out_of_the_folder_or_not() {
    let (plugins, elsewhere) = (Plugins::new(), Plugins::new());
    let target = elsewhere.put("libgood.so", &good());
    let inside = plugins.put("libreal.so", &good());
    symlink(&target, plugins.path().join("libout.so")).unwrap();
    symlink(&inside, plugins.path().join("libin.so")).unwrap();
    symlink("/nowhere", plugins.path().join("libbroken.so")).unwrap();
    for name in ["libout.so", "libin.so", "libbroken.so"] {
        assert_eq!(check(&plugins.path().join(name)), ["place.file-link"], "{name}");
    }
}

#[test]
fn a_folder_behind_a_link_is_refused_and_its_real_path_named() {
    let (plugins, real) = (Plugins::new(), Plugins::new());
    real.put("libgood.so", &good());
    let link = plugins.path().join("modules");
    symlink(real.path(), &link).unwrap();
    let report = check_folder(&link, &context(), &[]);
    assert_eq!(codes(&report.findings), ["place.folder-link"]);
    assert!(
        report.findings[0].fix.contains(real.path().to_str().unwrap()),
        "{}",
        report.findings[0]
    );
}

#[test]
fn what_is_no_regular_file_is_refused_without_waiting_for_it() {
    let plugins = Plugins::new();
    fs::create_dir(plugins.path().join("libfolder.so")).unwrap();
    let pipe = plugins.path().join("libpipe.so");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(plugins.path().join("libsocket.so")).unwrap();
    for name in ["libfolder.so", "libpipe.so", "libsocket.so"] {
        assert_eq!(check(&plugins.path().join(name)), ["place.not-regular"], "{name}");
    }
}

#[test]
fn what_is_not_there_or_too_large_is_refused() {
    let plugins = Plugins::new();
    assert_eq!(check(&plugins.path().join("libnone.so")), ["place.file-unreadable"]);
    let report = check_folder(&plugins.path().join("none"), &context(), &[]);
    assert_eq!(codes(&report.findings), ["place.folder-unreadable"]);
    let path = plugins.put("libgood.so", &good());
    let mut context = context();
    context.place.max_size = 1000;
    assert_eq!(codes(&check_file(&path, &context).findings), ["place.too-large"]);
}

#[test]
fn a_file_replaced_or_written_while_it_is_loaded_is_refused() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 5] = [
        ("replaced", |path| {
            let other = path.with_extension("new");
            fs::write(&other, good()).unwrap();
            fs::rename(other, path).unwrap();
        }),
        ("removed", |path| fs::remove_file(path).unwrap()),
        ("turned into a link", |path| {
            let other = path.with_extension("old");
            fs::rename(path, &other).unwrap();
            symlink(other, path).unwrap();
        }),
        ("overwritten", |path| {
            use std::os::unix::fs::FileExt;
            fs::OpenOptions::new()
                .write(true)
                .open(path)
                .unwrap()
                .write_all_at(b"x", 100)
                .unwrap();
        }),
        ("cut", |path| {
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(100).unwrap()
        }),
    ];
    for (name, change) in changes {
        let plugins = Plugins::new();
        let path = plugins.put("libgood.so", &good());
        let folder = Folder::open(plugins.path(), &rules()).unwrap();
        let placed = folder.file(OsStr::new("libgood.so"), &rules()).unwrap();
        change(&path);
        let finding = placed.read().expect_err(name);
        assert_eq!(finding.code, "place.changed", "{name}: {finding}");
        assert_eq!(finding.file, Some(path));
    }
}

#[test]
fn a_file_that_grows_past_the_limit_while_it_is_read_is_refused() {
    let plugins = Plugins::new();
    let path = plugins.put("libgood.so", b"small");
    let rules = PlaceRules { max_size: 10, ..rules() };
    let folder = Folder::open(plugins.path(), &rules).unwrap();
    let placed = folder.file(OsStr::new("libgood.so"), &rules).unwrap();
    fs::write(path, [0; 1000]).unwrap();
    assert_eq!(placed.read().unwrap_err().code, "place.too-large");
}
