//! Where blobs are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{ByteSize, Period, Secret};

/// Blobs of modules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Blobs {
    /// What keeps them.
    pub store: BlobStoreKind,
    /// Folder for `store = "directory"`. Default: `blobs` in `data_dir`.
    pub dir: Option<PathBuf>,
    /// Largest blob.
    pub max_size: ByteSize,
    /// The same for single modules, by id.
    pub max_size_of: BTreeMap<String, ByteSize>,
    /// What all blobs of one module may be together. 0 B: as much as there is room.
    pub quota: ByteSize,
    /// The same for single modules, by id.
    pub quota_of: BTreeMap<String, ByteSize>,
    /// How clients reach the public listener, for signed addresses of a directory: `https://example.org`. Default: `http.public_url`.
    pub public_url: Option<String>,
    /// The bucket for `store = "s3"`.
    pub s3: S3,
}

/// What keeps blobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BlobStoreKind {
    /// A folder of this machine.
    #[default]
    Directory,
    /// A bucket of an S3 API.
    S3,
}

/// A bucket of an S3 API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// `https://s3.eu-central-1.amazonaws.com`, `http://127.0.0.1:9000`.
    pub endpoint: String,
    /// The endpoint as clients reach it, for signed addresses. Default: `endpoint`.
    pub public_endpoint: Option<String>,
    /// Region, as it is signed.
    pub region: String,
    /// The bucket, which must be there.
    pub bucket: String,
    /// What all object names begin with.
    pub prefix: String,
    /// Access key.
    pub key: Option<Secret>,
    /// Secret key.
    pub secret: Option<Secret>,
    /// Whether the bucket is a folder of the endpoint (`https://host/bucket/..`) instead of a name below it (`https://bucket.host/..`).
    pub path_style: bool,
    /// How long one request may take, with everything that is tried again.
    pub timeout: Period,
}

impl Default for Blobs {
    fn default() -> Self {
        Self {
            store: BlobStoreKind::Directory,
            dir: None,
            max_size: ByteSize::mib(5 * 1024),
            max_size_of: BTreeMap::new(),
            quota: ByteSize(0),
            quota_of: BTreeMap::new(),
            public_url: None,
            s3: S3::default(),
        }
    }
}

impl Default for S3 {
    fn default() -> Self {
        Self {
            endpoint: "https://s3.amazonaws.com".to_owned(),
            public_endpoint: None,
            region: "us-east-1".to_owned(),
            bucket: String::new(),
            prefix: String::new(),
            key: None,
            secret: None,
            path_style: true,
            timeout: Period::secs(30),
        }
    }
}
