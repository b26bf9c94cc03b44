//! Where secrets of modules come from: the environment, files, and what the host itself has sealed.

mod environment;
mod files;
mod master_key;
mod vault;

pub use environment::EnvironmentSecrets;
pub use files::FileSecrets;
pub use master_key::MasterKeys;
pub use vault::{Listed, Vault};

use std::path::Path;

use crate::ports::secrets::{LONGEST, SecretBytes, SecretError};

/// Reads a file that holds one secret; none when it is not there.
async fn read_file(path: &Path, forbidden: u32) -> Result<Option<SecretBytes>, SecretError> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || read_now(&path, forbidden));
    match read.await {
        Ok(result) => result,
        Err(error) => Err(SecretError::Seal(error.into())),
    }
}

/// The mode is that of the file that was opened, so that nothing can be put in its place in between.
fn read_now(path: &Path, forbidden: u32) -> Result<Option<SecretBytes>, SecretError> {
    use std::io::Read as _;
    use std::os::unix::fs::PermissionsExt as _;
    let failed = |source| SecretError::File {
        what: "cannot read",
        path: path.to_owned(),
        source,
    };
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & forbidden != 0 {
        return Err(SecretError::Mode {
            path: path.to_owned(),
            found: mode,
        });
    }
    // Room for all of it: growing would leave copies behind.
    let mut bytes = Vec::with_capacity(LONGEST + 64);
    file.take(LONGEST as u64 + 2).read_to_end(&mut bytes).map_err(failed)?;
    let secret = SecretBytes::new(bytes).without_line_end();
    match secret.reveal().len() {
        found if found > LONGEST => Err(SecretError::TooLong { found }),
        _ => Ok(Some(secret)),
    }
}
