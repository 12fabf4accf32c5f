//! Requests of a store, made to wait for. What may be sent twice is sent again where that may help; a
//! conditional put is sent once, and [`swap`](super::swap) settles what became of it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
    UpdateVersion,
};

use super::answer::Kind;
use super::failure::Failure;
use super::{interrupt, runtime};
use crate::error::{Error, Result};

/// Which version of an object a store holds.
pub(super) type Version = UpdateVersion;

/// The largest piece of an object that one request carries.
pub(super) const PIECE: usize = 8 * 1024 * 1024;

/// How many objects are asked for at once.
const GETS_AT_ONCE: usize = 32;

/// How many objects are removed by one request, where the store can do so.
const REMOVED_AT_ONCE: usize = 1000;

/// How long to go on trying.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// What may go better a moment later is tried again for so long.
    pub(super) retry: Duration,
    /// The same, where nobody listens, or no store does.
    pub(super) connect: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { retry: Duration::from_secs(30), connect: Duration::from_secs(5) }
    }
}

/// Makes a connection, and says how patient it is. A fork needs another one: it must not share the sockets of its
/// parent.
pub(super) type Connect = dyn Fn() -> Result<(Arc<dyn ObjectStore>, Patience)> + Send + Sync;

/// A prefix of a store.
pub(super) struct Store {
    /// The URL of the repository, without a slash at its end.
    location: PathBuf,
    prefix: String,
    connect: Box<Connect>,
    connection: Mutex<(u32, Arc<dyn ObjectStore>)>,
    pub(super) patience: Patience,
}

impl fmt::Debug for Store {
    /// What is inside knows the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.location.display())
    }
}

/// An object, or a part of one.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    /// How long the whole object is.
    pub(super) len: u64,
    pub(super) version: Version,
}

impl Store {
    pub(super) fn new(location: PathBuf, prefix: String, connect: Box<Connect>) -> Result<Self> {
        let (connection, patience) = connect()?;
        let connection = Mutex::new((std::process::id(), connection));
        Ok(Self { location, prefix, connect, connection, patience })
    }

    pub(super) fn location(&self) -> &std::path::Path {
        &self.location
    }

    /// An object as a person would name it.
    pub(super) fn place(&self, key: &str) -> PathBuf {
        self.location.join(key)
    }

    /// An object; `None` if there is none.
    pub(super) fn get(&self, key: &str) -> Result<Option<Object>> {
        self.get_with(key, None, None)
    }

    /// The beginning of an object, or all of it if it is no longer.
    pub(super) fn get_start(&self, key: &str, len: u64) -> Result<Option<Object>> {
        self.get_with(key, Some(0..len), None)
    }

    /// A part of this version of an object; `None` if it has another one now.
    pub(super) fn get_part(
        &self,
        key: &str,
        part: Range<u64>,
        version: Option<&Version>,
    ) -> Result<Option<Object>> {
        self.get_with(key, Some(part), version.and_then(|it| it.e_tag.clone()))
    }

    fn get_with(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        if_match: Option<String>,
    ) -> Result<Option<Object>> {
        let path = self.path(key)?;
        let range = range.map(GetRange::Bounded);
        let options = GetOptions { range, if_match, ..GetOptions::default() };
        let got = self.retry(|store| get(store, path.clone(), options.clone()).boxed());
        match got {
            Ok(object) => Ok(Some(object)),
            Err(failure) if matches!(failure.kind, Kind::NotFound | Kind::Condition) => Ok(None),
            Err(failure) => Err(failure.at("read", self.place(key))),
        }
    }

    /// The beginnings of many objects, asked for side by side; `None` for those that are not there.
    pub(super) fn get_starts(&self, keys: &[String], len: u64) -> Result<Vec<Option<Object>>> {
        let paths: Vec<Path> = keys.iter().map(|key| self.path(key)).collect::<Result<_>>()?;
        let range = Some(GetRange::Bounded(0..len));
        let options = GetOptions { range, ..GetOptions::default() };
        let got = self.retry(|store| {
            let (paths, options) = (paths.clone(), options.clone());
            async move {
                let get = |path| get(store.clone(), path, options.clone()).map(found);
                let all = futures_util::stream::iter(paths).map(get);
                all.buffered(GETS_AT_ONCE).try_collect().await
            }
            .boxed()
        });
        got.map_err(|failure| failure.at("read", self.location.clone()))
    }

    /// Puts an object that is the same whenever it is put.
    pub(super) fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        let path = self.path(key)?;
        let put = |store: Arc<dyn ObjectStore>| {
            let (path, bytes) = (path.clone(), bytes.clone());
            async move { store.put(&path, bytes.into()).await.map(drop) }.boxed()
        };
        // It has no condition, so that a conflict is the store's own, and passes.
        let attempt = || {
            self.attempt(put).map_err(|mut failure| {
                if failure.kind == Kind::Condition {
                    failure.kind = Kind::Unknown;
                }
                failure
            })
        };
        self.retrying(attempt).map_err(|failure| failure.at("write", self.place(key)))
    }

    /// Puts an object once, if it stands as expected.
    pub(super) fn put_once(
        &self,
        key: &str,
        bytes: Bytes,
        mode: PutMode,
    ) -> Result<Version, Failure> {
        let path = self.path(key).map_err(|_| Failure::of(&not_a_key(key)))?;
        self.attempt(|store| {
            let payload = PutPayload::from_bytes(bytes);
            async move { store.put_opts(&path, payload, mode.into()).await.map(Version::from) }
                .boxed()
        })
    }

    /// Deletes objects, and says of those that it could not.
    pub(super) fn delete(&self, keys: &[String]) -> Vec<Error> {
        let delete = |keys: &[String]| {
            let deleted = self.retry(|store| delete(store, self.paths(keys)));
            deleted.map_err(|failure| failure.at("delete", self.place(&keys[0])))
        };
        keys.chunks(REMOVED_AT_ONCE).filter_map(|keys| delete(keys).err()).collect()
    }

    /// Deletes what is in nobody's way, if that works at once.
    pub(super) fn discard(&self, keys: &[String]) {
        for keys in keys.chunks(REMOVED_AT_ONCE) {
            if let Err(failure) = self.attempt(|store| delete(store, self.paths(keys))) {
                tracing::debug!(?failure, "what is no longer needed could not be deleted");
            }
        }
    }

    fn paths(&self, keys: &[String]) -> Vec<Path> {
        keys.iter().filter_map(|key| self.path(key).ok()).collect()
    }

    /// All objects below these keys, asked for side by side.
    pub(super) fn list(&self, keys: impl IntoIterator<Item = String>) -> Result<Vec<ObjectMeta>> {
        let paths: Vec<Path> =
            keys.into_iter().map(|key| self.path(&key)).collect::<Result<_>>()?;
        let listed = self.retry(|store| {
            let paths = paths.clone();
            async move {
                let list = |path: Path| {
                    let store = store.clone();
                    async move { store.list(Some(&path)).try_collect::<Vec<_>>().await }
                };
                let listed = join_all(paths.into_iter().map(list)).await;
                let listed: Vec<_> = listed.into_iter().collect::<object_store::Result<_>>()?;
                Ok(listed.into_iter().flatten().collect())
            }
            .boxed()
        });
        listed.map_err(|failure| failure.at("list", self.location.clone()))
    }

    /// Does what may be done again, until it works or there is no more patience.
    pub(super) fn retry<T: Send + 'static>(
        &self,
        request: impl Fn(Arc<dyn ObjectStore>) -> BoxFuture<'static, object_store::Result<T>>,
    ) -> Result<T, Failure> {
        self.retrying(|| self.attempt(&request))
    }

    /// The same, of something that makes a request.
    pub(super) fn retrying<T>(
        &self,
        attempt: impl Fn() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut pause = Pause::new(self.patience);
        loop {
            match attempt() {
                Err(failure) if failure.is_passing() && pause.wait(failure.kind) => (),
                outcome => return outcome,
            }
        }
    }

    pub(super) fn attempt<T: Send + 'static>(
        &self,
        request: impl FnOnce(Arc<dyn ObjectStore>) -> BoxFuture<'static, object_store::Result<T>>,
    ) -> Result<T, Failure> {
        let store = self.connection().map_err(|error| Failure::local(&as_io(error)))?;
        match runtime::wait(request(store)) {
            Ok(outcome) => outcome.map_err(|error| Failure::of(&error)),
            Err(error) => Err(Failure::local(&error)),
        }
    }

    /// The store, for requests that nobody waits for.
    pub(super) fn connection(&self) -> Result<Arc<dyn ObjectStore>> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.0 != std::process::id() {
            *connection = (std::process::id(), (self.connect)()?.0);
        }
        Ok(connection.1.clone())
    }

    /// The key of an object that was listed.
    pub(super) fn key(&self, path: &Path) -> String {
        let path = path.as_ref();
        path.strip_prefix(&self.prefix).unwrap_or(path).trim_start_matches('/').to_owned()
    }

    pub(super) fn path(&self, key: &str) -> Result<Path> {
        let path = match self.prefix.as_str() {
            "" => Path::parse(key),
            prefix => Path::parse(format!("{prefix}/{key}")),
        };
        path.map_err(|_| Error::InvalidLocation {
            location: self.location.clone(),
            problem: "its prefix has characters that no key may have",
        })
    }
}

async fn get(
    store: Arc<dyn ObjectStore>,
    path: Path,
    options: GetOptions,
) -> object_store::Result<Object> {
    let got = store.get_opts(&path, options).await?;
    let version = Version { e_tag: got.meta.e_tag.clone(), version: got.meta.version.clone() };
    let len = got.meta.size;
    Ok(Object { bytes: got.bytes().await?, len, version })
}

/// Makes "it is not there" a value.
fn found<T>(outcome: object_store::Result<T>) -> object_store::Result<Option<T>> {
    match outcome {
        Ok(it) => Ok(Some(it)),
        Err(object_store::Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn delete(
    store: Arc<dyn ObjectStore>,
    paths: Vec<Path>,
) -> BoxFuture<'static, object_store::Result<()>> {
    async move {
        let paths = futures_util::stream::iter(paths.into_iter().map(Ok)).boxed();
        let gone = |outcome: object_store::Result<Path>| match outcome {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        };
        store.delete_stream(paths).map(gone).try_collect().await
    }
    .boxed()
}

fn as_io(error: Error) -> std::io::Error {
    std::io::Error::other(error.to_string())
}

fn not_a_key(key: &str) -> object_store::Error {
    object_store::Error::NotFound { path: key.to_owned(), source: "not a key".into() }
}

/// The time between one try and the next: longer each time, and never the same for two rivals.
pub(super) struct Pause {
    patience: Patience,
    start: Instant,
    next: Duration,
}

impl Pause {
    pub(super) fn new(patience: Patience) -> Self {
        Self { patience, start: Instant::now(), next: Duration::from_millis(50) }
    }

    /// Waits, if there is patience left for that and nobody interrupts it.
    pub(super) fn wait(&mut self, kind: Kind) -> bool {
        let pause = self.pause(kind, self.start.elapsed());
        pause.is_some_and(|it| interrupt::sleep(jittered(it, crate::random::bytes()[0])))
    }

    /// How long to wait at most, after so long; `None` if there is no patience left.
    fn pause(&mut self, kind: Kind, elapsed: Duration) -> Option<Duration> {
        const LONGEST: Duration = Duration::from_secs(5);
        let patience = match kind {
            Kind::Unreachable | Kind::Strange => self.patience.connect,
            _ => self.patience.retry,
        };
        let pause = self.next;
        self.next = (self.next * 2).min(LONGEST);
        (elapsed + pause <= patience).then_some(pause)
    }
}

/// Half of it or more.
pub(super) fn jittered(pause: Duration, random: u8) -> Duration {
    pause.mul_f64(0.5 + f64::from(random) / 512.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses of who is refused at once, again and again.
    fn pauses(kind: Kind, random: u8) -> Vec<u128> {
        let (mut pause, mut elapsed) = (Pause::new(Patience::default()), Duration::ZERO);
        let next = || {
            let next = jittered(pause.pause(kind, elapsed)?, random);
            elapsed += next;
            Some(next.as_millis())
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_end_with_the_patience() {
        let half = [25, 50, 100, 200, 400, 800, 1600, 2500, 2500, 2500, 2500, 2500, 2500, 2500];
        assert_eq!(pauses(Kind::Unknown, 0)[..14], half);
        for random in [0, 100, 255] {
            let all = pauses(Kind::Unknown, random);
            assert!((11..=18).contains(&all.len()), "{all:?}");
            assert!((24_000..=30_000).contains(&all.iter().sum::<u128>()), "{all:?}");
            let short = pauses(Kind::Unreachable, random);
            assert!(short.iter().sum::<u128>() <= 5000 && all.starts_with(&short), "{short:?}");
        }
    }

    #[test]
    fn rivals_do_not_come_back_together() {
        let pauses: std::collections::HashSet<_> =
            (0..=255).map(|random| jittered(Duration::from_secs(1), random)).collect();
        assert_eq!(pauses.len(), 256);
        assert!(pauses.iter().all(|it| (500..1000).contains(&it.as_millis())));
    }
}
