//! `blobs`: the module's space in the store of blobs.

mod streams;

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RString, RVec};
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::services::blobs::{
    BlobEntry, BlobMeta, BlobOpened, BlobPage, BlobPut, Blobs, Blobs_TO, BlobsRef, Note, PutIf, SignFor,
};
use wharf_plugin_api::{Fault, FaultCode, guard, guard_drop};

use super::entered::Entered;
use super::{Inner, stopped};
use crate::blobs::BlobStore;
use crate::ports::blobs::{Access, BlobError, Condition, Key, Meta, Put, Span, check_prefix};
use crate::ports::traces::SpanKind;
use crate::telemetry::{ActiveSpan, Metrics};
use streams::{Stream, Streams};

/// Most entries in one page.
const MOST_IN_PAGE: usize = 1000;

#[derive(Clone)]
struct Store {
    inner: Arc<Inner>,
    streams: Arc<Streams>,
}

pub(super) fn object(inner: &Arc<Inner>) -> BlobsRef {
    let store = Store {
        inner: inner.clone(),
        streams: Arc::default(),
    };
    Blobs_TO::from_ptr(RArc::new(store), TD_Opaque)
}

impl Store {
    /// Runs `work` on the host's runtime, counted.
    fn run<T, W, F>(&self, operation: &'static str, work: W) -> FfiFuture<T>
    where
        T: Send + 'static,
        W: FnOnce(Self, BlobStore, String) -> F,
        F: Future<Output = Result<T, Fault>> + Send + 'static,
    {
        guard(|| {
            if self.inner.standing.is_retired() {
                self.streams.close_all();
                return FfiFuture::ready(Err(stopped()));
            }
            let module = self.inner.standing.who.module.clone();
            let span = self.span(operation);
            let store = self.inner.shared.backends.blobs.clone();
            let work = work(self.clone(), store.clone(), module.clone());
            let metrics = self.inner.shared.metrics.clone();
            FfiFuture::new(Entered::new(self.inner.shared.runtime.clone(), async move {
                let done = span.around(work, |fault| fault.code.name()).await;
                count(&metrics, &module, operation, done.as_ref().err());
                show_room(&metrics, &module, &store);
                done
            }))
        })
        .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }
}

impl Store {
    /// One a blob, not one a piece; without the key, which may say whose it is.
    fn span(&self, operation: &'static str) -> ActiveSpan {
        let name = match operation {
            "put" => "blobs put",
            "finish" => "blobs finish",
            "get" => "blobs get",
            "head" => "blobs head",
            "list" => "blobs list",
            "delete" => "blobs delete",
            "copy" => "blobs copy",
            "sign" => "blobs sign",
            _ => return ActiveSpan::none(),
        };
        self.inner.span(SpanKind::Client, name)
    }
}

impl Blobs for Store {
    fn create(&self, put: BlobPut) -> FfiFuture<u64> {
        self.run("put", |this, blobs, module| async move {
            let (key, put) = read_put(put)?;
            let upload = blobs.port.put(&module, &key, put).await.map_err(fault)?;
            this.streams.add(Stream::writing(upload))
        })
    }

    fn write(&self, handle: u64, bytes: RVec<u8>) -> FfiFuture<()> {
        self.run("write", |this, blobs, module| async move {
            let stream = this.streams.find(handle)?;
            let mut stream = stream.lock().await;
            let (upload, size) = stream.upload()?;
            *size += bytes.len() as u64;
            let limit = blobs.limit(&module);
            let written = if *size > limit {
                Err(BlobError::TooLarge {
                    limit,
                    why: "blobs of this module may not be larger; the operator sets blobs.max_size",
                })
            } else {
                moved(&this.inner.shared.metrics, &module, "in", bytes.len());
                upload.write(Bytes::from(bytes.into_vec())).await
            };
            if written.is_err() {
                this.streams.close(handle);
            }
            written.map_err(fault)
        })
    }

    fn finish(&self, handle: u64) -> FfiFuture<BlobMeta> {
        self.run("finish", |this, _, _| async move {
            let stream = this.streams.find(handle)?;
            this.streams.close(handle);
            let upload = stream.lock().await.take_upload()?;
            upload.finish().await.map(send_meta).map_err(fault)
        })
    }

    fn open(&self, key: RString, start: u64, end: u64) -> FfiFuture<BlobOpened> {
        self.run("get", |this, blobs, module| async move {
            let key = Key::parse(&key).map_err(fault)?;
            let span = (start > 0 || end < u64::MAX).then_some(Span {
                start,
                end: (end < u64::MAX).then_some(end),
            });
            let found = blobs.port.get(&module, &key, span).await.map_err(fault)?;
            let handle = this.streams.add(Stream::reading(found.content))?;
            Ok(BlobOpened {
                handle,
                start: found.range.start,
                end: found.range.end,
                meta: send_meta(found.meta),
            })
        })
    }

    fn read(&self, handle: u64, most: u32) -> FfiFuture<RVec<u8>> {
        self.run("read", |this, _, module| async move {
            let stream = this.streams.find(handle)?;
            let piece = stream.lock().await.read(most.max(1) as usize).await;
            if piece.is_err() {
                this.streams.close(handle);
            }
            let piece = piece?;
            moved(&this.inner.shared.metrics, &module, "out", piece.len());
            Ok(RVec::from(Vec::from(piece)))
        })
    }

    fn close(&self, handle: u64) {
        guard_drop(|| {
            // Dropping an upload removes files: on the host's runtime, not in the caller's drop.
            let stream = self.streams.take(handle);
            self.inner.shared.runtime.spawn(async move { drop(stream) });
        });
    }

    fn head(&self, key: RString) -> FfiFuture<BlobMeta> {
        self.run("head", |_, blobs, module| async move {
            let key = Key::parse(&key).map_err(fault)?;
            blobs.port.head(&module, &key).await.map(send_meta).map_err(fault)
        })
    }

    fn list(&self, prefix: RString, after: RString, limit: u32) -> FfiFuture<BlobPage> {
        self.run("list", |_, blobs, module| async move {
            check_prefix(&prefix).map_err(fault)?;
            check_prefix(&after).map_err(fault)?;
            let limit = usize::try_from(limit).unwrap_or(MOST_IN_PAGE).clamp(1, MOST_IN_PAGE);
            let page = blobs.port.list(&module, &prefix, &after, limit).await.map_err(fault)?;
            let entries = page.entries.into_iter().map(|entry| BlobEntry {
                key: entry.key.into(),
                size: entry.size,
                modified_ms: entry.modified.as_millisecond(),
                etag: entry.etag.into(),
            });
            Ok(BlobPage {
                entries: entries.collect(),
                has_more: page.has_more,
            })
        })
    }

    fn delete(&self, key: RString) -> FfiFuture<()> {
        self.run("delete", |_, blobs, module| async move {
            let key = Key::parse(&key).map_err(fault)?;
            blobs.port.delete(&module, &key).await.map_err(fault)
        })
    }

    fn copy(&self, from: RString, to: RString) -> FfiFuture<BlobMeta> {
        self.run("copy", |_, blobs, module| async move {
            let (from, to) = (Key::parse(&from).map_err(fault)?, Key::parse(&to).map_err(fault)?);
            blobs.port.copy(&module, &from, &to).await.map(send_meta).map_err(fault)
        })
    }

    fn sign(&self, key: RString, access: SignFor, seconds: u32) -> FfiFuture<RString> {
        self.run("sign", |_, blobs, module| async move {
            let key = Key::parse(&key).map_err(fault)?;
            let access = match access {
                SignFor::GET => Access::Get,
                SignFor::PUT => Access::Put,
                SignFor(other) => return Err(Fault::new(FaultCode::INVALID, format!("found access {other}, expected get or put"))),
            };
            let time = Duration::from_secs(seconds.into());
            blobs.address(&module, &key, access, time).await.map(RString::from).map_err(fault)
        })
    }
}

fn read_put(put: BlobPut) -> Result<(Key, Put), Fault> {
    let key = Key::parse(&put.key).map_err(fault)?;
    let condition = match put.condition {
        PutIf::ALWAYS => Condition::None,
        PutIf::ABSENT => Condition::Absent,
        PutIf::MATCHES => Condition::Matches(put.etag.into_string()),
        PutIf(other) => {
            return Err(Fault::new(
                FaultCode::INVALID,
                format!("found condition {other}, expected always, absent or matches"),
            ));
        }
    };
    let metadata: BTreeMap<String, String> = put
        .notes
        .into_iter()
        .map(|note| (note.name.into_string(), note.value.into_string()))
        .collect();
    let put = Put {
        content_type: put.content_type.into_string(),
        metadata,
        condition,
    };
    Ok((key, put))
}

fn send_meta(meta: Meta) -> BlobMeta {
    let notes = meta.metadata.into_iter().map(|(name, value)| Note {
        name: name.into(),
        value: value.into(),
    });
    BlobMeta {
        size: meta.size,
        modified_ms: meta.modified.as_millisecond(),
        content_type: meta.content_type.into(),
        etag: meta.etag.into(),
        sha256: meta.sha256.into(),
        notes: notes.collect(),
    }
}

fn fault(error: BlobError) -> Fault {
    let code = match &error {
        BlobError::NotFound { .. } => FaultCode::NOT_FOUND,
        BlobError::Condition { .. } => FaultCode::CONFLICT,
        BlobError::Invalid(_) | BlobError::Range { .. } | BlobError::TooLarge { .. } => FaultCode::INVALID,
        BlobError::OverQuota { .. } | BlobError::Full => FaultCode::FULL,
        BlobError::Unavailable { .. } => FaultCode::UNAVAILABLE,
        BlobError::Damaged { .. } => FaultCode::INTERNAL,
    };
    Fault::from_error(code, &error)
}

fn count(metrics: &Metrics, module: &str, operation: &str, fault: Option<&Fault>) {
    let outcome = fault.map_or("ok", |fault| fault.code.name());
    let labels = [("module", module), ("operation", operation), ("outcome", outcome)];
    metrics.own_counter("wharf_blobs_operations_total", &labels).increment(1);
}

/// What the module has and may have, where that is limited.
fn show_room(metrics: &Metrics, module: &str, store: &BlobStore) {
    let Some((used, quota)) = store.quotas.as_ref().and_then(|quotas| quotas.known(module)) else {
        return;
    };
    let labels = [("module", module)];
    metrics.own_gauge("wharf_blobs_used_bytes", &labels).set(used as f64);
    metrics.own_gauge("wharf_blobs_quota_bytes", &labels).set(quota as f64);
}

fn moved(metrics: &Metrics, module: &str, direction: &str, bytes: usize) {
    let labels = [("module", module), ("direction", direction)];
    metrics.own_counter("wharf_blobs_bytes_total", &labels).increment(bytes as u64);
}
