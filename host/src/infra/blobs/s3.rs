//! Blobs in an S3 API: the key `users/1/a.png` of module `blog` is the object `PREFIX/blog/users/1/a.png`.
//!
//! What is noted beside a blob is the object's own metadata, its hash `x-amz-meta-wharf-sha256`. An object that was sent in
//! parts has no hash there: S3 wants metadata before the first byte.

mod upload;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::signer::Signer as _;
use object_store::{
    Attribute, Attributes, BackoffConfig, ClientOptions, CopyOptions, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    RetryConfig,
};

use crate::config::Secret;
use crate::ports::blobs::{Access, BlobError, BlobFuture, Blobs, Condition, Download, Entry, Found, Key, Meta, Page, Put, Span, Upload};

/// The name of the hash in an object's metadata.
const SHA256: &str = "wharf-sha256";

/// Where the objects are.
#[derive(Clone, Debug)]
pub struct S3Settings {
    /// `https://s3.eu-central-1.amazonaws.com`, `http://127.0.0.1:9000`.
    pub endpoint: String,
    /// The endpoint as clients reach it, for signed addresses; `endpoint` without.
    pub public_endpoint: Option<String>,
    /// Region, as the signature names it.
    pub region: String,
    /// The bucket, which is there already.
    pub bucket: String,
    /// What all object names begin with; may be empty.
    pub prefix: String,
    /// Access key.
    pub key: String,
    /// Secret key.
    pub secret: Secret,
    /// Whether the bucket is a folder of the endpoint instead of a name below it.
    pub path_style: bool,
    /// How long one request may take, with everything that is tried again.
    pub timeout: Duration,
}

/// Blobs in an S3 API.
#[derive(Clone)]
pub struct S3Blobs {
    store: Arc<AmazonS3>,
    signer: Arc<AmazonS3>,
    prefix: String,
}

struct Reading {
    key: Key,
    left: u64,
    stream: BoxStream<'static, object_store::Result<Bytes>>,
}

impl S3Blobs {
    /// For this bucket. Nothing is asked yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the settings cannot be right.
    pub fn new(settings: &S3Settings) -> Result<Self, BlobError> {
        // Fails when the program has chosen one already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = Arc::new(build(settings, &settings.endpoint)?);
        let signer = match &settings.public_endpoint {
            Some(endpoint) => Arc::new(build(settings, endpoint)?),
            None => store.clone(),
        };
        Ok(Self {
            store,
            signer,
            prefix: settings.prefix.trim_matches('/').to_owned(),
        })
    }

    fn folder(&self, module: &str) -> String {
        if self.prefix.is_empty() {
            format!("{module}/")
        } else {
            format!("{}/{module}/", self.prefix)
        }
    }

    fn path(&self, module: &str, key: &Key) -> Result<Path, BlobError> {
        path(&format!("{}{key}", self.folder(module)))
    }

    async fn look(&self, module: &str, key: &Key) -> Result<Meta, BlobError> {
        let options = GetOptions::new().with_head(true);
        let found = self.store.get_opts(&self.path(module, key)?, options).await;
        let found = found.map_err(|error| explain("look at a blob", key, error))?;
        Ok(meta(&found.meta, &found.attributes))
    }

    async fn page(&self, module: &str, prefix: &str, after: &str, limit: usize) -> Result<Page, BlobError> {
        let root = self.folder(module);
        let none = Key::parse("-")?;
        // The store lists whole segments: the last one of the prefix is compared here.
        let (segments, _) = prefix.rsplit_once('/').unwrap_or_default();
        let folder = path(format!("{root}{segments}").trim_end_matches('/'))?;
        let mut found = if after.is_empty() {
            self.store.list(Some(&folder))
        } else {
            self.store.list_with_offset(Some(&folder), &path(&format!("{root}{after}"))?)
        };
        let mut page = Page::default();
        while let Some(object) = found.next().await {
            let object = object.map_err(|error| explain("list blobs", &none, error))?;
            let Some(key) = object.location.as_ref().strip_prefix(&root).filter(|key| key.starts_with(prefix)) else {
                continue;
            };
            if page.entries.len() == limit {
                page.has_more = true;
                break;
            }
            page.entries.push(Entry {
                key: key.to_owned(),
                size: object.size,
                etag: object.e_tag.unwrap_or_default(),
                modified: timestamp(object.last_modified.timestamp_millis()),
            });
        }
        Ok(page)
    }
}

fn build(settings: &S3Settings, endpoint: &str) -> Result<AmazonS3, BlobError> {
    let client = ClientOptions::new()
        .with_allow_http(true)
        // A large blob may take long; each piece of it may not.
        .with_timeout_disabled()
        .with_connect_timeout(Duration::from_secs(5))
        .with_read_timeout(settings.timeout);
    let retry = RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(2),
            base: 2.0,
        },
        max_retries: 10,
        retry_timeout: settings.timeout,
    };
    let built = AmazonS3Builder::new()
        .with_endpoint(endpoint.trim_end_matches('/'))
        .with_region(&settings.region)
        .with_bucket_name(&settings.bucket)
        .with_access_key_id(&settings.key)
        .with_secret_access_key(settings.secret.reveal())
        .with_virtual_hosted_style_request(!settings.path_style)
        .with_client_options(client)
        .with_retry(retry)
        .build();
    built.map_err(|error| BlobError::Invalid(format!("the settings of blobs do not make an S3 client: {error}")))
}

impl Blobs for S3Blobs {
    fn put<'a>(&'a self, module: &'a str, key: &'a Key, put: Put) -> BlobFuture<'a, Box<dyn Upload>> {
        Box::pin(async move {
            put.check()?;
            let path = self.path(module, key)?;
            if put.condition != Condition::None {
                let found = match self.look(module, key).await {
                    Ok(meta) => Some(meta),
                    Err(BlobError::NotFound { .. }) => None,
                    Err(error) => return Err(error),
                };
                put.condition.check(key, found.as_ref())?;
            }
            Ok(Box::new(upload::Writing::new(self.store.clone(), path, key.clone(), put)) as Box<dyn Upload>)
        })
    }

    fn get<'a>(&'a self, module: &'a str, key: &'a Key, span: Option<Span>) -> BlobFuture<'a, Found> {
        Box::pin(async move {
            let mut options = GetOptions::new();
            if let Some(span) = span {
                // The store answers a range past the end in ways of its own.
                let size = self.look(module, key).await?;
                let range = span.of(key, size.size)?;
                if range.is_empty() {
                    return Ok(Found {
                        meta: size,
                        content: Box::new(Reading::nothing(key)),
                        range,
                    });
                }
                options = options.with_range(Some(GetRange::Bounded(range))).with_if_match(Some(size.etag));
            }
            let found = self.store.get_opts(&self.path(module, key)?, options).await;
            let found = found.map_err(|error| explain("read a blob", key, error))?;
            let meta = meta(&found.meta, &found.attributes);
            let range = found.range.clone();
            let content = Reading {
                key: key.clone(),
                left: range.end - range.start,
                stream: found.into_stream(),
            };
            Ok(Found {
                meta,
                range,
                content: Box::new(content),
            })
        })
    }

    fn head<'a>(&'a self, module: &'a str, key: &'a Key) -> BlobFuture<'a, Meta> {
        Box::pin(self.look(module, key))
    }

    fn list<'a>(&'a self, module: &'a str, prefix: &'a str, after: &'a str, limit: usize) -> BlobFuture<'a, Page> {
        Box::pin(self.page(module, prefix, after, limit))
    }

    fn delete<'a>(&'a self, module: &'a str, key: &'a Key) -> BlobFuture<'a, ()> {
        Box::pin(async move {
            match self.store.delete(&self.path(module, key)?).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
                Err(error) => Err(explain("delete a blob", key, error)),
            }
        })
    }

    fn copy<'a>(&'a self, module: &'a str, from: &'a Key, to: &'a Key) -> BlobFuture<'a, Meta> {
        Box::pin(async move {
            // Some stores copy what is not there as an empty object.
            self.look(module, from).await?;
            let (source, target) = (self.path(module, from)?, self.path(module, to)?);
            let copied = self.store.copy_opts(&source, &target, CopyOptions::new()).await;
            copied.map_err(|error| explain("copy a blob", from, error))?;
            self.look(module, to).await
        })
    }

    fn presign<'a>(&'a self, module: &'a str, key: &'a Key, access: Access, time: Duration) -> BlobFuture<'a, Option<String>> {
        Box::pin(async move {
            let method = match access {
                Access::Get => http::Method::GET,
                Access::Put => http::Method::PUT,
            };
            let signed = self.signer.signed_url(method, &self.path(module, key)?, time).await;
            Ok(Some(signed.map_err(|error| explain("sign an address", key, error))?.to_string()))
        })
    }
}

impl Reading {
    fn nothing(key: &Key) -> Self {
        Self {
            key: key.clone(),
            left: 0,
            stream: futures_util::stream::empty().boxed(),
        }
    }
}

impl Download for Reading {
    fn next(&mut self) -> BlobFuture<'_, Option<Bytes>> {
        Box::pin(async move {
            loop {
                match self.stream.next().await {
                    Some(Ok(piece)) if piece.is_empty() => {}
                    Some(Ok(piece)) => {
                        self.left = self.left.saturating_sub(piece.len() as u64);
                        return Ok(Some(piece));
                    }
                    Some(Err(error)) => return Err(explain("read a blob", &self.key, error)),
                    None if self.left > 0 => {
                        let cut = std::io::Error::other(format!("{} bytes are missing at the end", self.left));
                        return Err(BlobError::Unavailable {
                            doing: "read a blob",
                            source: Box::new(cut),
                        });
                    }
                    None => return Ok(None),
                }
            }
        })
    }
}

fn path(text: &str) -> Result<Path, BlobError> {
    Path::parse(text).map_err(|error| BlobError::Invalid(format!("found object name {text:?}: {error}")))
}

fn meta(object: &ObjectMeta, attributes: &Attributes) -> Meta {
    let mut found = Meta {
        size: object.size,
        content_type: String::new(),
        metadata: BTreeMap::new(),
        etag: object.e_tag.clone().unwrap_or_default(),
        sha256: String::new(),
        modified: timestamp(object.last_modified.timestamp_millis()),
    };
    for (name, value) in attributes {
        match name {
            Attribute::ContentType => found.content_type = value.to_string(),
            Attribute::Metadata(name) if name == SHA256 => found.sha256 = value.to_string(),
            Attribute::Metadata(name) => drop(found.metadata.insert(name.to_string(), value.to_string())),
            _ => {}
        }
    }
    // What stores say of an object nobody said anything of.
    if found.content_type == "application/octet-stream" || found.content_type == "binary/octet-stream" {
        found.content_type.clear();
    }
    found
}

fn timestamp(milliseconds: i64) -> Timestamp {
    Timestamp::from_millisecond(milliseconds).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn explain(doing: &'static str, key: &Key, error: object_store::Error) -> BlobError {
    let key = key.to_string();
    match error {
        object_store::Error::NotFound { .. } => BlobError::NotFound { key },
        object_store::Error::AlreadyExists { .. } => BlobError::Condition { key, found: "it is there" },
        object_store::Error::Precondition { .. } => BlobError::Condition {
            key,
            found: "it has another etag",
        },
        other => BlobError::Unavailable {
            doing,
            source: Box::new(other),
        },
    }
}

impl fmt::Debug for S3Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Blobs").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
