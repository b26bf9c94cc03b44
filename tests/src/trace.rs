//! What a program maps as executable memory, as the kernel sees it: proof that no code of a library ran.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};

use crate::workspace::scratch;

/// Runs a command to its end under `strace`, with all its threads and children, and returns how it ended
/// and every file that was mapped as executable memory.
///
/// # Panics
/// When `strace` is not installed; `make test-servers` installs it.
#[must_use]
pub fn mapped_executable(command: &Command) -> (ExitStatus, BTreeSet<PathBuf>) {
    let folder = scratch("trace");
    let log = folder.path().join("log");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-qq", "-y", "-e", "trace=mmap,mprotect,pkey_mprotect", "-o"])
        .arg(&log);
    strace.arg("--").arg(command.get_program()).args(command.get_args());
    if let Some(directory) = command.get_current_dir() {
        strace.current_dir(directory);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    let status = strace
        .status()
        .unwrap_or_else(|error| panic!("cannot run strace: {error}; make test-servers installs it"));
    let lines = fs::read_to_string(&log).unwrap_or_else(|error| panic!("strace wrote no {}: {error}", log.display()));
    (status, lines.lines().filter_map(mapping).collect())
}

/// The file of a line such as `7 mmap(NULL, 8192, PROT_READ|PROT_EXEC, MAP_PRIVATE, 3</lib/x.so>, 0) = 0x7f..`.
fn mapping(line: &str) -> Option<PathBuf> {
    if !line.contains("PROT_EXEC") {
        return None;
    }
    let (_, rest) = line.split_once('<')?;
    let (path, _) = rest.rsplit_once('>')?;
    Some(path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_executable_mappings_of_files_count() {
        let file = "7 mmap(0x7f, 8192, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_FIXED, 3</lib/libc.so.6>, 0x26000) = 0x7f";
        assert_eq!(mapping(file), Some("/lib/libc.so.6".into()));
        assert_eq!(mapping(&file.replace("|PROT_EXEC", "")), None);
        assert_eq!(
            mapping("7 mmap(NULL, 8192, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f"),
            None
        );
    }
}
