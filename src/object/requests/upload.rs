//! Payloads that do not fit into a head: objects of their own, which go in pieces if they are long.

use std::future::Future;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use object_store::retry::{RetryContext, RetryFailure, RetryPolicy};
use object_store::{ObjectStore, PutMultipartOptions, WriteMultipart};

use super::client::{PIECE, RetryBudget, Store, jittered};
use crate::checkpoint::{Digest, Digester};
use crate::error::{Result, Step};
use crate::stream::input_failed;

/// How many pieces are on their way at once.
const AT_ONCE: usize = 4;

/// A record as it was put.
pub(crate) struct Put {
    pub(crate) size: u64,
    pub(crate) digest: Digest,
}

/// Puts all that a source gives.
pub(crate) fn put(store: &Store, key: &str, source: &mut dyn Read) -> Result<Put> {
    let mut digest = Digester::default();
    let first = piece(source)?;
    digest.add(&first);
    if first.len() < PIECE {
        store.put(key, first)?;
        return Ok(Put { size: digest.size(), digest: digest.digest() });
    }
    let mut upload = Upload::begin(store, key)?;
    let mut next = Ok(first);
    loop {
        match next {
            Ok(piece) if piece.is_empty() => break,
            Ok(piece) => upload.add(piece)?,
            Err(error) => {
                upload.abort();
                return Err(error);
            }
        }
        next = piece(source).inspect(|piece| digest.add(piece));
    }
    upload.finish(digest.size())?;
    Ok(Put { size: digest.size(), digest: digest.digest() })
}

/// The next piece; a short one is the last.
fn piece(source: &mut dyn Read) -> Result<Bytes> {
    let mut piece = Vec::new();
    source.take(PIECE as u64).read_to_end(&mut piece).map_err(input_failed)?;
    Ok(piece.into())
}

/// An object that is being put in pieces. It is there when it is finished, and not before.
struct Upload<'a> {
    store: &'a Store,
    key: &'a str,
    write: Option<WriteMultipart>,
}

impl<'a> Upload<'a> {
    fn begin(store: &'a Store, key: &'a str) -> Result<Self> {
        let (path, budget) = (store.path(key)?, store.budget);
        let begun = store.retry(move |store| {
            let path = path.clone();
            async move {
                let options = PutMultipartOptions::default().with_retry_policy(Arc::new(budget));
                store.put_multipart_opts(&path, options).await
            }
            .boxed()
        });
        let begun = begun.map_err(|failure| failure.at(Step::Write, store.place(key)))?;
        let write = Some(WriteMultipart::new_with_chunk_size(begun, PIECE));
        Ok(Self { store, key, write })
    }

    fn add(&mut self, piece: Bytes) -> Result<()> {
        let Some(mut write) = self.write.take() else { return Ok(()) };
        let added = self.store.attempt(|_| {
            async move {
                match write.wait_for_capacity(AT_ONCE).await {
                    Ok(()) => {
                        write.put(piece);
                        Ok(write)
                    }
                    Err(error) => {
                        // Or else the other pieces would stay.
                        let _ = write.abort().await;
                        Err(error)
                    }
                }
            }
            .boxed()
        });
        self.write =
            Some(added.map_err(|failure| failure.at(Step::Write, self.store.place(self.key)))?);
        Ok(())
    }

    fn finish(mut self, size: u64) -> Result<()> {
        let Some(write) = self.write.take() else { return Ok(()) };
        let finished = self.store.attempt(|_| async move { write.finish().await }.boxed());
        let Err(failure) = finished else { return Ok(()) };
        // The answer may be lost; and only a whole object is there at all.
        match self.store.get_start(self.key, 1)? {
            Some(object) if object.len == size => Ok(()),
            _ => Err(failure.at(Step::Write, self.store.place(self.key))),
        }
    }

    fn abort(mut self) {
        if let Some(write) = self.write.take() {
            let _ = self.store.attempt(|_| async move { write.abort().await }.boxed());
        }
    }
}

/// A piece is sent again where that may help: it is the same each time.
impl RetryPolicy for RetryBudget {
    fn retry<'a, 'b>(
        &'a self,
        context: RetryContext,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'b>>
    where
        'a: 'b,
    {
        let is_passing = match context.failure {
            RetryFailure::Status(status) => {
                status.is_server_error() || [408, 429].contains(&status.as_u16())
            }
            _ => true,
        };
        let again = is_passing && context.elapsed < self.retry;
        let pause = Duration::from_millis(200) * context.attempt.min(20) as u32;
        let pause = jittered(pause, crate::random::bytes()[0]);
        async move {
            if again {
                tokio::time::sleep(pause).await;
            }
            again
        }
        .boxed()
    }
}
