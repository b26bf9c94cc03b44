//! Waits for changes of a package's sources.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::super::exit::Failure;
use super::build::Package;

/// Editors write a file in several steps; a build starts when it has been quiet this long.
const QUIET: Duration = Duration::from_millis(150);

/// Changes, many at once made one.
pub(super) struct Changes {
    // Watches as long as it lives.
    _watcher: RecommendedWatcher,
    signals: mpsc::Receiver<()>,
}

impl Changes {
    /// `plugins` may lie inside the package; what is put there is no source.
    pub(super) fn watch(package: &Package, plugins: &Path) -> Result<Self, Failure> {
        // One waiting signal says all there is to say.
        let (sender, signals) = mpsc::channel(1);
        let (folder, made) = (package.folder.clone(), [package.target.clone(), plugins.to_owned()]);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let counts =
                event.is_ok_and(|e| !matches!(e.kind, EventKind::Access(_)) && e.paths.iter().any(|path| is_source(path, &folder, &made)));
            if counts {
                // Full means that a signal is waiting already.
                let _ = sender.try_send(());
            }
        })
        .map_err(failed)?;
        watcher.watch(&package.folder, RecursiveMode::Recursive).map_err(failed)?;
        Ok(Self {
            _watcher: watcher,
            signals,
        })
    }

    /// Waits for a change, then until it is quiet. `false` when there will be no more.
    pub(super) async fn next(&mut self) -> bool {
        if self.signals.recv().await.is_none() {
            return false;
        }
        while let Ok(Some(())) = tokio::time::timeout(QUIET, self.signals.recv()).await {}
        true
    }
}

/// Neither what cargo and this program write nor what editors and version control keep in hidden and backup files.
fn is_source(path: &Path, folder: &Path, made: &[PathBuf]) -> bool {
    let Ok(inside) = path.strip_prefix(folder) else { return false };
    let hidden = inside.components().any(|part| part.as_os_str().to_string_lossy().starts_with('.'));
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    !made.iter().any(|folder| path.starts_with(folder)) && !hidden && !name.ends_with('~') && name != "Cargo.lock"
}

#[allow(clippy::needless_pass_by_value, reason = "the form map_err wants")]
fn failed(error: notify::Error) -> Failure {
    Failure::failed(
        "cannot watch the sources",
        &error.to_string(),
        "raise fs.inotify.max_user_watches, or build with --once",
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_sources_count() {
        let (folder, made) = (Path::new("/w/blog"), ["/w/blog/target".into(), "/w/blog/plugins".into()]);
        for (path, counts) in [
            ("/w/blog/src/lib.rs", true),
            ("/w/blog/wharf.toml", true),
            ("/w/blog/target/debug/libblog.so", false),
            ("/w/blog/plugins/libblog.so", false),
            ("/w/blog/.git/index", false),
            ("/w/blog/src/.lib.rs.swp", false),
            ("/w/blog/src/lib.rs~", false),
            ("/w/blog/Cargo.lock", false),
            ("/w/other/src/lib.rs", false),
        ] {
            assert_eq!(is_source(Path::new(path), folder, &made), counts, "{path}");
        }
    }

    #[tokio::test]
    async fn many_writes_are_one_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_owned();
        let package = Package {
            name: "x".into(),
            target: path.join("target"),
            in_clone: false,
            folder: path.clone(),
        };
        let mut changes = Changes::watch(&package, &path.join("plugins")).unwrap();
        for n in 0..5 {
            std::fs::write(path.join("lib.rs"), n.to_string()).unwrap();
        }
        assert!(tokio::time::timeout(Duration::from_secs(10), changes.next()).await.unwrap());
        assert!(changes.signals.try_recv().is_err());
    }
}
