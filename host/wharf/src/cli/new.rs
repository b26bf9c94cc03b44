//! `wharf new`: a module that builds, made of `examples/starter`, and a `Cargo.toml` from `host/wharf/templates/module`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::NewArgs;
use super::context::Context;
use super::exit::{Exit, Failure};

/// A module of this repository, so that the templates are built and tested with it; its name is replaced.
const FILES: [(&str, &str); 5] = [
    ("wharf.toml", include_str!("../../../../examples/starter/wharf.toml")),
    (
        "config.schema.json",
        include_str!("../../../../examples/starter/config.schema.json"),
    ),
    ("src/lib.rs", include_str!("../../../../examples/starter/src/lib.rs")),
    ("src/note.rs", include_str!("../../../../examples/starter/src/note.rs")),
    ("tests/module.rs", include_str!("../../../../examples/starter/tests/module.rs")),
];
const CARGO_IN_CLONE: &str = include_str!("../../../../examples/starter/Cargo.toml");
const CARGO_OUTSIDE: &str = include_str!("../../templates/module/Cargo.outside.toml");
/// Where this program was built; outside a clone the SDK is taken from there.
const BUILT_FROM: &str = env!("CARGO_MANIFEST_DIR");
/// Names that no crate can have, or that hide a crate everybody uses.
const TAKEN: &[&str] = &[
    "abstract",
    "alloc",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "std",
    "struct",
    "super",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "wharf",
    "where",
    "while",
    "yield",
];

/// What was made.
#[derive(Serialize)]
struct Made {
    id: String,
    folder: PathBuf,
    in_clone: bool,
    sdk: Option<PathBuf>,
    files: Vec<String>,
}

pub(super) fn run(args: &NewArgs, context: &Context) -> Result<Exit, Failure> {
    let here = std::env::current_dir()
        .map_err(|e| Failure::failed("cannot tell the working directory", &e.to_string(), "go to one that exists"))?;
    let made = make(args, &here)?;
    context.emit(&made, human);
    Ok(Exit::Ok)
}

fn make(args: &NewArgs, here: &Path) -> Result<Made, Failure> {
    let id = args.name.as_str();
    if TAKEN.contains(&id) || id.starts_with("wharf-") {
        return Err(Failure::usage(
            format!("found the name {id:?}, which a crate cannot have or Wharf uses itself"),
            "choose another name",
        ));
    }
    let clone = find_clone(here);
    let folder = match (&args.path, &clone) {
        (Some(path), _) => here.join(path),
        (None, Some(root)) => root.join("plugins").join(id),
        (None, None) => here.join(id),
    };
    if folder.exists() {
        return Err(Failure::usage(
            format!("found {} already there", folder.display()),
            "choose another name, or another folder with --path",
        ));
    }
    // Only what lies in plugins/ is a member of the workspace.
    let in_clone = clone
        .as_ref()
        .is_some_and(|root| folder.parent() == Some(root.join("plugins").as_path()));
    let sdk = if in_clone {
        None
    } else {
        Some(sdk_folder(args, clone.as_deref())?)
    };
    let cargo = if in_clone { CARGO_IN_CLONE } else { CARGO_OUTSIDE };
    let fill = |template: &str| {
        let sdk = sdk.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
        template
            .replace("starter::", &format!("{}::", id.replace('-', "_")))
            .replace("Starter", &type_name(id))
            .replace("starter", id)
            .replace("__SDK__", &sdk)
    };
    let mut files = Vec::new();
    for (name, template) in FILES.into_iter().chain([("Cargo.toml", cargo)]) {
        write(&folder.join(name), &fill(template))?;
        files.push(name.to_owned());
    }
    Ok(Made {
        id: id.to_owned(),
        folder,
        in_clone,
        sdk,
        files,
    })
}

fn human(made: &Made) -> String {
    let mut text = format!("made the module {} in {}\n", made.id, made.folder.display());
    if let Some(sdk) = &made.sdk {
        text.push_str(&format!(
            "this is not the plugins folder of a clone of Wharf: wharf-sdk is a path dependency on {}\n",
            sdk.display()
        ));
    }
    let program = std::env::args().next().unwrap_or_else(|| "wharf".to_owned());
    let host = format!("{program} serve --dev   (in another terminal, if none runs)");
    let go = format!("cd {}", made.folder.display());
    let steps = [
        made.sdk.is_none().then_some(host),
        made.sdk.is_some().then_some(go),
        Some(format!("{program} dev {}", made.id)),
        Some(format!("curl http://127.0.0.1:8080/{}/notes", made.id)),
    ];
    for (n, step) in steps.into_iter().flatten().enumerate() {
        text.push_str(if n == 0 { "\nnext:  " } else { "       " });
        text.push_str(&step);
        text.push('\n');
    }
    text
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
    parent.and_then(|()| fs::write(path, text)).map_err(|e| {
        Failure::failed(
            &format!("cannot write {}", path.display()),
            &e.to_string(),
            "choose another folder with --path",
        )
    })
}

/// The nearest folder above whose Cargo.toml is a workspace that holds wharf-sdk.
fn find_clone(from: &Path) -> Option<PathBuf> {
    from.ancestors().find(|folder| is_clone(folder)).map(Path::to_owned)
}

fn is_clone(folder: &Path) -> bool {
    let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    let table: toml::Table = toml::from_str(&text).unwrap_or_default();
    let path = table
        .get("workspace")
        .and_then(|w| w.get("dependencies"))
        .and_then(|d| d.get("wharf-sdk"))
        .and_then(|sdk| sdk.get("path"));
    path.and_then(toml::Value::as_str)
        .is_some_and(|path| folder.join(path).join("Cargo.toml").is_file())
}

fn sdk_folder(args: &NewArgs, clone: Option<&Path>) -> Result<PathBuf, Failure> {
    let built_from = Path::new(BUILT_FROM).ancestors().nth(2).map(|root| root.join("sdk"));
    let sdk = args
        .sdk
        .clone()
        .or_else(|| clone.map(|root| root.join("sdk")))
        .or(built_from)
        .unwrap_or_default();
    if sdk.join("Cargo.toml").is_file() {
        return std::path::absolute(&sdk)
            .map_err(|e| Failure::failed("cannot tell where the SDK is", &e.to_string(), "give --sdk an absolute path"));
    }
    Err(Failure::usage(
        format!("found no wharf-sdk in {}", sdk.display()),
        "name the folder sdk of a clone of Wharf with --sdk, or run this inside a clone",
    ))
}

/// `my-blog` becomes `MyBlog`.
fn type_name(id: &str) -> String {
    id.split('-')
        .map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase())
                .into_iter()
                .chain(letters)
                .collect::<String>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn args(name: &str) -> NewArgs {
        NewArgs {
            name: name.to_owned(),
            path: None,
            sdk: None,
        }
    }

    fn clone() -> tempfile::TempDir {
        let clone = tempfile::tempdir().unwrap();
        write(&clone.path().join("sdk/Cargo.toml"), "").unwrap();
        write(
            &clone.path().join("Cargo.toml"),
            "[workspace]\n[workspace.dependencies]\nwharf-sdk = { path = \"sdk\" }\n",
        )
        .unwrap();
        clone
    }

    #[test]
    fn inside_a_clone_a_member_of_the_workspace_is_made() {
        let clone = clone();
        let deep = clone.path().join("docs");
        fs::create_dir(&deep).unwrap();
        let made = make(&args("my-blog"), &deep).unwrap();
        assert!(made.in_clone);
        assert_eq!(made.folder, clone.path().join("plugins/my-blog"));
        let cargo = fs::read_to_string(made.folder.join("Cargo.toml")).unwrap();
        assert!(
            cargo.contains("name = \"my-blog\"") && cargo.contains("wharf-sdk = { workspace = true,"),
            "{cargo}"
        );
        let source = fs::read_to_string(made.folder.join("src/lib.rs")).unwrap();
        assert!(source.contains("export_module!(MyBlog);") && !source.contains("tarter"), "{source}");
        let test = fs::read_to_string(made.folder.join("tests/module.rs")).unwrap();
        assert!(
            test.contains("my_blog::root()") && test.contains("\"/my-blog/notes\"") && !test.contains("tarter"),
            "{test}"
        );
        assert_eq!(make(&args("my-blog"), &deep).map(|m| m.id).unwrap_err().code, "usage");
    }

    #[test]
    fn elsewhere_the_sdk_is_a_path_dependency() {
        let (clone, elsewhere) = (clone(), tempfile::tempdir().unwrap());
        let made = make(
            &NewArgs {
                sdk: Some(clone.path().join("sdk")),
                ..args("blog")
            },
            elsewhere.path(),
        )
        .unwrap();
        assert!(!made.in_clone);
        let cargo: toml::Table = toml::from_str(&fs::read_to_string(made.folder.join("Cargo.toml")).unwrap()).unwrap();
        let path = cargo
            .get("dependencies")
            .and_then(|d| d.get("wharf-sdk"))
            .and_then(|s| s.get("path"))
            .and_then(toml::Value::as_str);
        assert_eq!(path, clone.path().join("sdk").to_str());
        assert!(human(&made).contains("path dependency"));
    }

    #[test]
    fn names_no_crate_can_have_are_refused() {
        for name in ["match", "std", "wharf-x"] {
            assert!(make(&args(name), Path::new("/nonexistent")).is_err(), "{name}");
        }
    }

    #[test]
    fn the_template_is_a_sound_manifest_and_schema() {
        let (_, manifest) = FILES.first().unwrap();
        let table: toml::Table = toml::from_str(&manifest.replace("starter", "x")).unwrap();
        assert_eq!(table.get("id").and_then(toml::Value::as_str), Some("x"));
        let (_, schema) = FILES.get(1).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(schema).is_ok());
    }
}
