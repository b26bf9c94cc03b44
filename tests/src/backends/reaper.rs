//! Ends a server whose starter was killed before it could.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A shell that reads from a pipe: the pipe ends with the process that holds it, and with it the process group.
#[derive(Debug)]
pub(super) struct Reaper(Child);

impl Reaper {
    /// Watches over a process group and the folder it writes to.
    pub(super) fn of(group: u32, folder: &Path) -> Self {
        let script = "read -r word; test \"$word\" = done || { kill -s KILL -- \"-$1\"; rm -rf -- \"$2\"; }";
        let mut command = Command::new("sh");
        command.args(["-c", script, "reaper", &group.to_string()]).arg(folder);
        // In a group of its own, so that what ends the group of the starter (an interrupt) does not end this first.
        command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")))
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            let _ = pipe.write_all(b"done\n");
        }
        let _ = self.0.wait();
    }
}
