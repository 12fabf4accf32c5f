//! Requests of a store, made to wait for. What may be sent twice is sent again where that may help; a
//! conditional put is sent once, and [`swap`](super::swap) settles what became of it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
    UpdateVersion,
};

use super::clock::{Clock, SystemClock};
use super::failure::RequestError;
use super::response::FailureClass;
use super::{interrupt, runtime};
use crate::error::{Error, LocationProblem, Result, Step};

/// Which version of an object a store holds.
pub(crate) type Version = UpdateVersion;

/// The largest piece of an object that one request carries.
pub(crate) const PIECE: usize = 8 * 1024 * 1024;

/// How many objects are asked for at once.
const GETS_AT_ONCE: usize = 32;

/// How many objects are removed by one request, where the store can do so.
const REMOVED_AT_ONCE: usize = 1000;

/// How long to go on trying.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryBudget {
    /// What may go better a moment later is tried again for so long.
    pub(crate) retry: Duration,
    /// The same, where nobody listens, or no store does.
    pub(crate) connect: Duration,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self { retry: Duration::from_secs(30), connect: Duration::from_secs(5) }
    }
}

/// Makes a connection, and says how patient it is. A fork needs another one: it must not share the sockets of its
/// parent.
pub(crate) type Connect = dyn Fn() -> Result<(Arc<dyn ObjectStore>, RetryBudget)> + Send + Sync;

/// A prefix of a store.
#[derive(Clone)]
pub(crate) struct Store {
    /// The URL of the repository, without a slash at its end.
    location: PathBuf,
    prefix: String,
    connect: Arc<Connect>,
    connection: Arc<Mutex<(u32, Arc<dyn ObjectStore>)>>,
    pub(crate) budget: RetryBudget,
    pub(crate) clock: Arc<dyn Clock>,
}

impl fmt::Debug for Store {
    /// What is inside knows the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Store({})", self.location.display())
    }
}

/// An object, or a part of one.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) bytes: Bytes,
    /// How long the whole object is.
    pub(crate) len: u64,
    pub(crate) version: Version,
}

impl Store {
    pub(crate) fn new(location: PathBuf, prefix: String, connect: Arc<Connect>) -> Result<Self> {
        let (connection, budget) = connect()?;
        let connection = Arc::new(Mutex::new((std::process::id(), connection)));
        let clock = Arc::new(SystemClock::new());
        Ok(Self { location, prefix, connect, connection, budget, clock })
    }

    #[cfg(feature = "seam")]
    pub(crate) fn with_clock(&self, clock: Arc<dyn Clock>) -> Self {
        Self { clock, ..self.clone() }
    }

    pub(crate) fn location(&self) -> &std::path::Path {
        &self.location
    }

    /// An object as a person would name it.
    pub(crate) fn place(&self, key: &str) -> PathBuf {
        self.location.join(key)
    }

    /// An object; `None` if there is none.
    pub(crate) fn get(&self, key: &str) -> Result<Option<Object>> {
        self.get_with(key, None, None)
    }

    /// The beginning of an object, or all of it if it is no longer.
    pub(crate) fn get_start(&self, key: &str, len: u64) -> Result<Option<Object>> {
        self.get_with(key, Some(0..len), None)
    }

    /// A part of this version of an object; `None` if it has another one now.
    pub(crate) fn get_part(
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
            Err(failure)
                if matches!(failure.class, FailureClass::NotFound | FailureClass::Condition) =>
            {
                Ok(None)
            }
            Err(failure) => Err(failure.at(Step::Read, self.place(key))),
        }
    }

    /// The beginnings of many objects, asked for side by side; `None` for those that are not there.
    pub(crate) fn get_starts(&self, keys: &[String], len: u64) -> Result<Vec<Option<Object>>> {
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
        got.map_err(|failure| failure.at(Step::Read, self.location.clone()))
    }

    /// Puts an object that is the same whenever it is put.
    pub(crate) fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        let path = self.path(key)?;
        let put = |store: Arc<dyn ObjectStore>| {
            let (path, bytes) = (path.clone(), bytes.clone());
            async move { store.put(&path, bytes.into()).await.map(drop) }.boxed()
        };
        // It has no condition, so that a conflict is the store's own, and passes.
        let attempt = || {
            self.attempt(put).map_err(|mut failure| {
                if failure.class == FailureClass::Condition {
                    failure.class = FailureClass::Unknown;
                }
                failure
            })
        };
        self.retrying(attempt).map_err(|failure| failure.at(Step::Write, self.place(key)))
    }

    /// Puts an object once, if it stands as expected.
    pub(crate) fn put_once(
        &self,
        key: &str,
        bytes: Bytes,
        mode: PutMode,
    ) -> Result<Version, RequestError> {
        let path = self.path(key).map_err(|_| RequestError::of(&not_a_key(key)))?;
        self.attempt(|store| {
            let payload = PutPayload::from_bytes(bytes);
            async move { store.put_opts(&path, payload, mode.into()).await.map(Version::from) }
                .boxed()
        })
    }

    /// Deletes objects, and says of those that it could not.
    pub(crate) fn delete(&self, keys: &[String]) -> Vec<Error> {
        let delete = |keys: &[String]| {
            let deleted = self.retry(|store| delete(store, self.paths(keys)));
            deleted.map_err(|failure| failure.at(Step::Remove, self.place(&keys[0])))
        };
        keys.chunks(REMOVED_AT_ONCE).filter_map(|keys| delete(keys).err()).collect()
    }

    /// Deletes what is in nobody's way, if that works at once.
    pub(crate) fn delete_best_effort(&self, keys: &[String]) {
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
    pub(crate) fn list(&self, keys: impl IntoIterator<Item = String>) -> Result<Vec<ObjectMeta>> {
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
        listed.map_err(|failure| failure.at(Step::List, self.location.clone()))
    }

    /// Does what may be done again, until it works or there is no more budget.
    pub(crate) fn retry<T: Send + 'static>(
        &self,
        request: impl Fn(Arc<dyn ObjectStore>) -> BoxFuture<'static, object_store::Result<T>>,
    ) -> Result<T, RequestError> {
        self.retrying(|| self.attempt(&request))
    }

    /// The same, of something that makes a request.
    pub(crate) fn retrying<T>(
        &self,
        attempt: impl Fn() -> Result<T, RequestError>,
    ) -> Result<T, RequestError> {
        let mut pause = self.backoff();
        loop {
            match attempt() {
                Err(failure) if failure.is_passing() && pause.wait(failure.class) => (),
                outcome => return outcome,
            }
        }
    }

    /// The pauses between the attempts of one operation.
    pub(crate) fn backoff(&self) -> Backoff {
        Backoff::new(self.budget, self.clock.clone())
    }

    pub(crate) fn attempt<T: Send + 'static>(
        &self,
        request: impl FnOnce(Arc<dyn ObjectStore>) -> BoxFuture<'static, object_store::Result<T>>,
    ) -> Result<T, RequestError> {
        let store = self.connection().map_err(|error| RequestError::local(&as_io(error)))?;
        match runtime::wait(request(store)) {
            Ok(outcome) => outcome.map_err(|error| RequestError::of(&error)),
            Err(error) => Err(RequestError::local(&error)),
        }
    }

    /// The store, for requests that nobody waits for.
    pub(crate) fn connection(&self) -> Result<Arc<dyn ObjectStore>> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.0 != std::process::id() {
            *connection = (std::process::id(), (self.connect)()?.0);
        }
        Ok(connection.1.clone())
    }

    /// The key of an object that was listed.
    pub(crate) fn key(&self, path: &Path) -> String {
        let path = path.as_ref();
        path.strip_prefix(&self.prefix).unwrap_or(path).trim_start_matches('/').to_owned()
    }

    pub(crate) fn path(&self, key: &str) -> Result<Path> {
        let path = match self.prefix.as_str() {
            "" => Path::parse(key),
            prefix => Path::parse(format!("{prefix}/{key}")),
        };
        path.map_err(|_| Error::InvalidLocation {
            location: self.location.clone(),
            problem: LocationProblem::Prefix,
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
pub(crate) struct Backoff {
    budget: RetryBudget,
    clock: Arc<dyn Clock>,
    start: Duration,
    next: Duration,
}

impl Backoff {
    fn new(budget: RetryBudget, clock: Arc<dyn Clock>) -> Self {
        Self { budget, start: clock.now(), clock, next: Duration::from_millis(50) }
    }

    /// Waits, if there is budget left for that and nobody interrupts it.
    pub(crate) fn wait(&mut self, kind: FailureClass) -> bool {
        let Some(pause) = self.pause(kind, self.clock.now() - self.start) else { return false };
        self.clock.sleep(jittered(pause, self.clock.jitter()));
        !interrupt::is_requested()
    }

    /// How long to wait at most, after so long; `None` if there is no budget left.
    fn pause(&mut self, kind: FailureClass, elapsed: Duration) -> Option<Duration> {
        const LONGEST: Duration = Duration::from_secs(5);
        let budget = match kind {
            FailureClass::Unreachable | FailureClass::Strange => self.budget.connect,
            _ => self.budget.retry,
        };
        let pause = self.next;
        self.next = (self.next * 2).min(LONGEST);
        (elapsed + pause <= budget).then_some(pause)
    }
}

/// Half of it or more.
pub(crate) fn jittered(pause: Duration, random: u8) -> Duration {
    pause.mul_f64(0.5 + f64::from(random) / 512.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses of who is refused at once, again and again.
    fn pauses(kind: FailureClass, random: u8) -> Vec<u128> {
        let mut pause = Backoff::new(RetryBudget::default(), Arc::new(SystemClock::new()));
        let mut elapsed = Duration::ZERO;
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
        assert_eq!(pauses(FailureClass::Unknown, 0)[..14], half);
        for random in [0, 100, 255] {
            let all = pauses(FailureClass::Unknown, random);
            assert!((11..=18).contains(&all.len()), "{all:?}");
            assert!((24_000..=30_000).contains(&all.iter().sum::<u128>()), "{all:?}");
            let short = pauses(FailureClass::Unreachable, random);
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
