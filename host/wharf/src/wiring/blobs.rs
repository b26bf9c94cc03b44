//! Chooses the store of blobs.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use wharf_host::blobs::{AddressSigner, BlobStore, Quotas};
use wharf_host::config::{BlobStoreKind, ByteSize, Config};
use wharf_host::infra::blobs::{DirectoryBlobs, S3Blobs, S3Settings};
use wharf_host::ports::blobs::Blobs;

/// How long a node goes by what it counted in a bucket.
const RECOUNT: Duration = Duration::from_secs(60);

/// Opens the store of the configuration.
pub(super) fn open(config: &Config) -> anyhow::Result<BlobStore> {
    let section = &config.blobs;
    let base = match &section.public_url {
        Some(url) => url.clone(),
        None => config.http.reached_at(),
    };
    let folder = section.dir.clone().unwrap_or_else(|| config.data_dir.join("blobs"));
    let (port, signer): (Arc<dyn Blobs>, _) = match section.store {
        BlobStoreKind::Directory => {
            let store = DirectoryBlobs::open(&folder).with_context(|| format!("blobs.dir: cannot use {}", folder.display()))?;
            let key = address_key(&folder.join(".address-key")).context("the key of signed addresses of blobs")?;
            (Arc::new(store), AddressSigner::new(&base, key))
        }
        BlobStoreKind::S3 => (
            Arc::new(S3Blobs::new(&s3(config)?).context("blobs.s3")?),
            AddressSigner::with_random_key(&base),
        ),
    };
    let store = BlobStore {
        port,
        signer: Arc::new(signer),
        max_size: section.max_size.get(),
        max_size_of: sizes(&section.max_size_of),
        quotas: None,
    };
    Ok(store.with_quotas(Quotas {
        all: section.quota.get(),
        of: sizes(&section.quota_of),
        // A directory is this host's alone; other nodes write to a bucket, and whoever has a signed address of it.
        recount: (section.store == BlobStoreKind::S3).then_some(RECOUNT),
    }))
}

fn sizes(of: &BTreeMap<String, ByteSize>) -> BTreeMap<String, u64> {
    of.iter().map(|(id, size)| (id.clone(), size.get())).collect()
}

fn s3(config: &Config) -> anyhow::Result<S3Settings> {
    let section = &config.blobs.s3;
    if section.bucket.is_empty() {
        bail!("blobs.s3.bucket is empty, expected the name of a bucket: set it, or blobs.store = \"directory\"");
    }
    let (Some(key), Some(secret)) = (&section.key, &section.secret) else {
        bail!("blobs.s3.key and blobs.s3.secret are not both set: set them, or WHARF_BLOBS__S3__KEY_FILE and WHARF_BLOBS__S3__SECRET_FILE");
    };
    Ok(S3Settings {
        endpoint: section.endpoint.clone(),
        public_endpoint: section.public_endpoint.clone(),
        region: section.region.clone(),
        bucket: section.bucket.clone(),
        prefix: section.prefix.clone(),
        key: key.reveal().to_owned(),
        secret: secret.clone(),
        path_style: section.path_style,
        timeout: section.timeout.get(),
    })
}

/// Beside the blobs, so that every host with this folder knows the same addresses; made at the first start.
fn address_key(path: &Path) -> anyhow::Result<[u8; 32]> {
    let mut key = [0_u8; 32];
    match fs::File::open(path) {
        Ok(mut file) => {
            file.read_exact(&mut key)
                .with_context(|| format!("found {} shorter than 32 bytes; delete it", path.display()))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            fs::File::open("/dev/urandom")
                .and_then(|mut random| random.read_exact(&mut key))
                .context("cannot get random numbers")?;
            let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
            let written = made.and_then(|mut file| file.write_all(&key).and_then(|()| file.sync_all()));
            written.with_context(|| format!("cannot write {}", path.display()))?;
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    Ok(key)
}
