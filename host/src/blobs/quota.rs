//! How much the blobs of one module may be together.
//!
//! What is there is counted from the store's own list, once and then as it changes; what uploads have sent so far is set aside, so
//! that many at once cannot go over. A blob that is replaced counts until the new one is there, as it does on the disk.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Mutex as AsyncMutex;

use crate::ports::blobs::{Access, BlobError, BlobFuture, Blobs, Found, Key, Meta, Page, Put, Span, Upload};

/// Entries of the store's list that are asked for at a time.
const PAGE: usize = 1000;

/// What modules may have.
#[derive(Clone, Debug, Default)]
pub struct Quotas {
    /// Of each module; 0 for as much as there is room.
    pub all: u64,
    /// The same for single modules, by id.
    pub of: BTreeMap<String, u64>,
    /// After so long it is counted again, where others write to the same store; never where nobody else does.
    pub recount: Option<Duration>,
}

/// A store that holds each module to its quota.
#[derive(Debug)]
pub struct QuotaBlobs {
    inner: Arc<dyn Blobs>,
    quotas: Quotas,
    accounts: Mutex<HashMap<String, Arc<Account>>>,
}

/// What a module has.
#[derive(Debug)]
struct Account {
    quota: u64,
    /// Held from the look at what is there to its change.
    changing: AsyncMutex<()>,
    room: Mutex<Room>,
}

#[derive(Debug, Default)]
struct Room {
    /// When it was counted; none when it is not known.
    counted: Option<Instant>,
    used: u64,
    set_aside: u64,
}

/// Bytes that are set aside until this is dropped.
struct SetAside {
    account: Arc<Account>,
    bytes: u64,
}

struct Held {
    inner: Box<dyn Upload>,
    store: Arc<dyn Blobs>,
    module: String,
    key: Key,
    aside: SetAside,
}

impl Quotas {
    /// What a module may have; none when that is not limited.
    #[must_use]
    pub fn quota(&self, module: &str) -> Option<u64> {
        Some(self.of.get(module).copied().unwrap_or(self.all)).filter(|quota| *quota > 0)
    }
}

impl QuotaBlobs {
    /// Over a store that nobody reaches in another way.
    #[must_use]
    pub fn new(inner: Arc<dyn Blobs>, quotas: Quotas) -> Self {
        Self {
            inner,
            quotas,
            accounts: Mutex::default(),
        }
    }

    /// What modules may have.
    #[must_use]
    pub fn quotas(&self) -> &Quotas {
        &self.quotas
    }

    /// What the module has and may have, as far as that was counted.
    #[must_use]
    pub fn known(&self, module: &str) -> Option<(u64, u64)> {
        let account = lock(&self.accounts).get(module).cloned()?;
        let room = lock(&account.room);
        room.counted.map(|_| (room.used, account.quota))
    }

    /// The account of a module that has a quota, counted.
    async fn account(&self, module: &str) -> Result<Option<Arc<Account>>, BlobError> {
        let Some(quota) = self.quotas.quota(module) else { return Ok(None) };
        let account = Arc::clone(lock(&self.accounts).entry(module.to_owned()).or_insert_with(|| {
            Arc::new(Account {
                quota,
                changing: AsyncMutex::default(),
                room: Mutex::default(),
            })
        }));
        if !account.is_counted(self.quotas.recount) {
            let _changing = account.changing.lock().await;
            if !account.is_counted(self.quotas.recount) {
                let (_, used) = count(&*self.inner, module).await?;
                let mut room = lock(&account.room);
                (room.used, room.counted) = (used, Some(Instant::now()));
            }
        }
        Ok(Some(account))
    }
}

/// How many blobs a module has, and their bytes.
///
/// # Errors
/// What the store says.
pub async fn count(store: &dyn Blobs, module: &str) -> Result<(u64, u64), BlobError> {
    let (mut blobs, mut bytes, mut after) = (0, 0, String::new());
    loop {
        let page = store.list(module, "", &after, PAGE).await?;
        blobs += page.entries.len() as u64;
        bytes += page.entries.iter().map(|entry| entry.size).sum::<u64>();
        match page.entries.last() {
            Some(last) if page.has_more => after.clone_from(&last.key),
            _ => return Ok((blobs, bytes)),
        }
    }
}

impl Account {
    fn is_counted(&self, recount: Option<Duration>) -> bool {
        let counted = lock(&self.room).counted;
        counted.is_some_and(|at| recount.is_none_or(|after| at.elapsed() < after))
    }

    fn set_aside(&self, bytes: u64) -> Result<(), BlobError> {
        let mut room = lock(&self.room);
        let taken = room.used.saturating_add(room.set_aside);
        if taken.saturating_add(bytes) > self.quota {
            return Err(BlobError::OverQuota {
                taken,
                more: bytes,
                quota: self.quota,
            });
        }
        room.set_aside += bytes;
        Ok(())
    }

    /// Nobody knows what is there until the change that begins now has ended.
    fn begin_change(&self) -> Option<Instant> {
        lock(&self.room).counted.take()
    }

    fn end_change(&self, counted: Option<Instant>, gone: u64, come: u64) {
        let mut room = lock(&self.room);
        room.used = room.used.saturating_sub(gone).saturating_add(come);
        room.counted = counted;
    }
}

impl SetAside {
    const fn of(account: Arc<Account>) -> Self {
        Self { account, bytes: 0 }
    }

    fn add(&mut self, bytes: u64) -> Result<(), BlobError> {
        self.account.set_aside(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// What was set aside is there now, in place of what was.
    fn settle(mut self, counted: Option<Instant>, gone: u64, come: u64) {
        self.give_back();
        self.account.end_change(counted, gone, come);
    }

    fn give_back(&mut self) {
        let mut room = lock(&self.account.room);
        room.set_aside = room.set_aside.saturating_sub(std::mem::take(&mut self.bytes));
    }
}

impl Drop for SetAside {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Upload for Held {
    fn write(&mut self, bytes: Bytes) -> BlobFuture<'_, ()> {
        Box::pin(async move {
            self.aside.add(bytes.len() as u64)?;
            self.inner.write(bytes).await
        })
    }

    fn finish(self: Box<Self>) -> BlobFuture<'static, Meta> {
        Box::pin(async move {
            let Self {
                inner,
                store,
                module,
                key,
                aside,
            } = *self;
            let account = Arc::clone(&aside.account);
            let _changing = account.changing.lock().await;
            let before = size_of(&*store, &module, &key).await?;
            let counted = account.begin_change();
            let made = inner.finish().await;
            match &made {
                Ok(meta) => aside.settle(counted, before, meta.size),
                // It may be there all the same, of a store that did not answer: counted again.
                Err(BlobError::Unavailable { .. }) => {}
                Err(_) => account.end_change(counted, 0, 0),
            }
            made
        })
    }
}

/// What would be replaced.
async fn size_of(store: &dyn Blobs, module: &str, key: &Key) -> Result<u64, BlobError> {
    match store.head(module, key).await {
        Ok(meta) => Ok(meta.size),
        Err(BlobError::NotFound { .. } | BlobError::Damaged { .. }) => Ok(0),
        Err(error) => Err(error),
    }
}

impl Blobs for QuotaBlobs {
    fn put<'a>(&'a self, module: &'a str, key: &'a Key, put: Put) -> BlobFuture<'a, Box<dyn Upload>> {
        Box::pin(async move {
            let account = self.account(module).await?;
            let inner = self.inner.put(module, key, put).await?;
            let Some(account) = account else { return Ok(inner) };
            Ok(Box::new(Held {
                inner,
                store: Arc::clone(&self.inner),
                module: module.to_owned(),
                key: key.clone(),
                aside: SetAside::of(account),
            }) as Box<dyn Upload>)
        })
    }

    fn get<'a>(&'a self, module: &'a str, key: &'a Key, span: Option<Span>) -> BlobFuture<'a, Found> {
        self.inner.get(module, key, span)
    }

    fn head<'a>(&'a self, module: &'a str, key: &'a Key) -> BlobFuture<'a, Meta> {
        self.inner.head(module, key)
    }

    fn list<'a>(&'a self, module: &'a str, prefix: &'a str, after: &'a str, limit: usize) -> BlobFuture<'a, Page> {
        self.inner.list(module, prefix, after, limit)
    }

    fn delete<'a>(&'a self, module: &'a str, key: &'a Key) -> BlobFuture<'a, ()> {
        Box::pin(async move {
            let Some(account) = self.account(module).await? else {
                return self.inner.delete(module, key).await;
            };
            let _changing = account.changing.lock().await;
            let before = size_of(&*self.inner, module, key).await?;
            let counted = account.begin_change();
            self.inner.delete(module, key).await?;
            account.end_change(counted, before, 0);
            Ok(())
        })
    }

    fn copy<'a>(&'a self, module: &'a str, from: &'a Key, to: &'a Key) -> BlobFuture<'a, Meta> {
        Box::pin(async move {
            let Some(account) = self.account(module).await? else {
                return self.inner.copy(module, from, to).await;
            };
            let mut aside = SetAside::of(Arc::clone(&account));
            aside.add(self.inner.head(module, from).await?.size)?;
            let _changing = account.changing.lock().await;
            let before = size_of(&*self.inner, module, to).await?;
            let counted = account.begin_change();
            let made = self.inner.copy(module, from, to).await?;
            // One onto itself is the same bytes.
            aside.settle(counted, before, made.size);
            Ok(made)
        })
    }

    fn presign<'a>(&'a self, module: &'a str, key: &'a Key, access: Access, time: Duration) -> BlobFuture<'a, Option<String>> {
        self.inner.presign(module, key, access, time)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
