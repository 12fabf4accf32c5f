//! Puts payloads that do not fit into a head: objects of their own, which go in pieces if they are long.

use std::future::Future;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use object_store::client::HttpErrorKind;
use object_store::retry::{RetryContext, RetryFailure, RetryPolicy};
use object_store::{MultipartUpload, ObjectStore, PutMultipartOptions};
use tokio::task::JoinSet;

use super::client::{PIECE, RetryBudget, Store, jittered};
use super::clock::Clock;
use super::failure::RequestError;
use crate::checkpoint::{Digest, Digester};
use crate::error::{Result, Step};
use crate::stream::input_failed;

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

/// How many pieces are on their way at once: fewer where each takes long, since they share the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct AtOnce(usize);

impl AtOnce {
    const FIRST: Self = Self(2);
    const MOST: usize = 4;
    const QUICK: Duration = Duration::from_secs(4);
    const SLOW: Duration = Duration::from_secs(15);

    fn after_a_piece_that_took(self, time: Duration) -> Self {
        match time {
            time if time <= Self::QUICK => Self((self.0 + 1).min(Self::MOST)),
            time if time >= Self::SLOW => Self((self.0 / 2).max(1)),
            _ => self,
        }
    }
}

/// The pieces of an upload that are on their way.
struct Pieces {
    upload: Box<dyn MultipartUpload>,
    tasks: JoinSet<object_store::Result<Duration>>,
    at_once: AtOnce,
}

impl Pieces {
    /// Sends one, when no more than a number of others are on their way.
    async fn add(&mut self, piece: Bytes, clock: Arc<dyn Clock>) -> object_store::Result<()> {
        while self.tasks.len() >= self.at_once.0 {
            self.wait_for_one().await?;
        }
        let put = self.upload.put_part(piece.into());
        self.tasks.spawn(async move {
            let start = clock.now();
            put.await.map(|()| clock.now() - start)
        });
        Ok(())
    }

    async fn wait_for_one(&mut self) -> object_store::Result<()> {
        if let Some(done) = self.tasks.join_next().await {
            self.at_once = self.at_once.after_a_piece_that_took(done??);
        }
        Ok(())
    }

    async fn wait_for_all(&mut self) -> object_store::Result<()> {
        while !self.tasks.is_empty() {
            self.wait_for_one().await?;
        }
        Ok(())
    }

    /// Ends what is on its way, or else the other pieces would stay.
    async fn abort(&mut self) -> object_store::Result<()> {
        self.tasks.shutdown().await;
        self.upload.abort().await
    }
}

/// An object that is being put in pieces. It is there when it is finished, and not before.
struct Upload<'a> {
    store: &'a Store,
    key: &'a str,
    pieces: Option<Pieces>,
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
        let upload = begun.map_err(|failure| failure.at(Step::Write, store.place(key)))?;
        let pieces = Pieces { upload, tasks: JoinSet::new(), at_once: AtOnce::FIRST };
        Ok(Self { store, key, pieces: Some(pieces) })
    }

    /// Does something with the pieces; if that fails, they are deleted.
    fn with_pieces(
        &mut self,
        request: impl FnOnce(
            Pieces,
        ) -> futures_util::future::BoxFuture<
            'static,
            (Pieces, object_store::Result<()>),
        >,
    ) -> Result<(), RequestError> {
        let Some(pieces) = self.pieces.take() else { return Ok(()) };
        let (pieces, outcome) = self.store.attempt(|_| request(pieces).map(Ok).boxed())?;
        self.pieces = Some(pieces);
        outcome.map_err(|error| RequestError::of(&error))
    }

    fn add(&mut self, piece: Bytes) -> Result<()> {
        let clock = self.store.clock.clone();
        let added = self.with_pieces(|mut pieces| {
            async move {
                let outcome = pieces.add(piece, clock).await;
                (pieces, outcome)
            }
            .boxed()
        });
        added.map_err(|failure| {
            self.abort();
            failure.at(Step::Write, self.store.place(self.key))
        })
    }

    /// Ends the upload, again as long as that may help. Where the response is lost it looks: only a whole object is there at
    /// all. Nothing that was sent is given up before.
    fn finish(mut self, size: u64) -> Result<()> {
        let all = self.with_pieces(|mut pieces| {
            async move {
                let outcome = pieces.wait_for_all().await;
                (pieces, outcome)
            }
            .boxed()
        });
        if let Err(failure) = all {
            self.abort();
            return Err(failure.at(Step::Write, self.store.place(self.key)));
        }
        let mut backoff = self.store.backoff();
        loop {
            let ended = self.with_pieces(|mut pieces| {
                async move {
                    let outcome = pieces.upload.complete().await.map(drop);
                    (pieces, outcome)
                }
                .boxed()
            });
            let Err(failure) = ended else { return Ok(()) };
            if self.store.get_start(self.key, 1)?.is_some_and(|object| object.len == size) {
                return Ok(());
            }
            if !failure.is_passing() || !backoff.wait(failure.class) {
                self.abort();
                return Err(failure.at(Step::Write, self.store.place(self.key)));
            }
        }
    }

    /// Deletes the pieces, as far as that works. Who may not is told that they stay.
    fn abort(&mut self) {
        let aborted = self.with_pieces(|mut pieces| {
            async move {
                let outcome = pieces.abort().await;
                (pieces, outcome)
            }
            .boxed()
        });
        self.pieces = None;
        if let Err(failure) = aborted {
            self.store.tell_what_stays(self.key, &failure);
        }
    }
}

/// A piece is sent again where that may help: it is the same each time. S3 says 400 where it took too long to come.
impl RetryPolicy for RetryBudget {
    fn retry<'a, 'b>(
        &'a self,
        context: RetryContext,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'b>>
    where
        'a: 'b,
    {
        /// So often also where that takes more than the time there is: each has its own.
        const TRIES: usize = 3;
        let is_passing = match context.failure {
            RetryFailure::Status(status) => {
                status.is_server_error() || [400, 408, 429].contains(&status.as_u16())
            }
            _ => true,
        };
        let is_silence = context.failure == RetryFailure::Transport(HttpErrorKind::Timeout);
        let has_a_try = context.attempt < TRIES && !self.retry.is_zero() && !is_silence;
        let has_time = context.elapsed < self.retry || has_a_try;
        let pause = Duration::from_millis(200) * context.attempt.min(20) as u32;
        let pause = jittered(pause, crate::random::bytes()[0]);
        async move {
            if is_passing && has_time {
                tokio::time::sleep(pause).await;
            }
            is_passing && has_time
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_pieces_are_on_their_way_where_each_takes_long() {
        let after = |times: &[u64]| {
            times.iter().fold(AtOnce::FIRST, |it, seconds| {
                it.after_a_piece_that_took(Duration::from_secs(*seconds))
            })
        };
        assert_eq!(after(&[1, 1, 1, 1]), AtOnce(4));
        // 0.6 MB a second: two take 28 seconds, and one 14.
        assert_eq!(after(&[28, 28, 14, 14]), AtOnce(1));
        assert_eq!(after(&[60, 60, 1, 1]), AtOnce(3));
        assert_eq!(after(&[10, 10]), AtOnce::FIRST);
    }
}
