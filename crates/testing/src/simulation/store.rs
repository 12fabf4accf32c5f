//! The store as a host sees it: over a network that loses, delays and repeats.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt, iter, once};
use futures_util::{FutureExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};
use tokio::sync::oneshot;

use super::Simulation;
use super::fate::{Fate, Kind};
use super::world::{Key, Wait};

/// What one host asks of the store.
#[derive(Debug)]
pub(super) struct HostStore {
    pub(super) simulation: Simulation,
    pub(super) host: usize,
}

impl Simulation {
    /// Waits for something in a task, until this is dropped. A task that first waits for time works in the
    /// background; a host's thread has its requests carried out by tasks of their own, which at most limit them in time.
    pub(super) fn register(&self, host: usize, wait: Wait) -> Registered {
        let mut world = self.world();
        world.runtime = tokio::runtime::Handle::try_current().ok();
        let task = tokio::task::try_id();
        let is_time = matches!(wait, Wait::Time(..));
        let of_task = task.map(|task| *world.tasks.entry(task).or_insert(is_time));
        let is_background = is_time || of_task.unwrap_or(false);
        let key = world.add(host, is_background, wait);
        self.shared.changed.notify_all();
        Registered { simulation: self.clone(), key }
    }
}

/// A wait that ends at the latest when its task is dropped.
pub(super) struct Registered {
    simulation: Simulation,
    key: Key,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.simulation.world().forget(self.key);
    }
}

impl HostStore {
    /// Asks for something. `void` is what a dead host is told.
    async fn ask<T: Send + 'static>(
        &self,
        kind: Kind,
        path: &str,
        effect: impl Fn(&InMemory) -> Result<T> + Send + 'static,
        void: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (send, receive) = oneshot::channel();
        let path = path.to_owned();
        let carry_out = move |store: &InMemory, fate| {
            let answer = match fate {
                Fate::Done | Fate::Again => effect(store),
                Fate::Twice => {
                    let _ = effect(store);
                    effect(store)
                }
                Fate::LostAnswer => {
                    let _ = effect(store);
                    Err(broken())
                }
                Fate::Refused => Err(generic("status code: 503 Service Unavailable")),
                Fate::Reset | Fate::Late => Err(broken()),
                Fate::Contended => {
                    Err(Error::Precondition { path: String::new(), source: "409".into() })
                }
                Fate::Void => void(),
            };
            let _ = send.send(answer);
            let comes_later = matches!(fate, Fate::Late | Fate::Again | Fate::Void);
            comes_later.then(|| {
                let later: Box<dyn FnOnce(&InMemory) + Send> =
                    Box::new(move |store| drop(effect(store)));
                later
            })
        };
        let wait = Wait::Request { kind, path, carry_out: Box::new(carry_out) };
        let _registered = self.simulation.register(self.host, wait);
        receive.await.unwrap_or_else(|_| Err(broken()))
    }
}

fn broken() -> Error {
    generic("connection reset")
}

fn generic(text: &str) -> Error {
    Error::Generic { store: "simulated", source: text.to_owned().into() }
}

/// What the store in memory does at once.
fn now<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    future.now_or_never().unwrap_or_else(|| Err(generic("it took time")))
}

impl fmt::Display for HostStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostStore({})", self.host)
    }
}

#[async_trait]
impl ObjectStore for HostStore {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let (key, kind) = (path.to_string(), Kind::Put(options.mode != PutMode::Overwrite));
        let path = path.clone();
        let put =
            move |store: &InMemory| now(store.put_opts(&path, payload.clone(), options.clone()));
        let void = || Err(Error::Precondition { path: String::new(), source: "dead".into() });
        self.ask(kind, &key, put, void).await
    }

    async fn put_multipart_opts(
        &self,
        _: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotImplemented { operation: "pieces".into(), implementer: "simulated".into() })
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        let (key, path) = (path.to_string(), path.clone());
        let get = move |store: &InMemory| now(store.get_opts(&path, options.clone()));
        let void = || Err(Error::NotFound { path: String::new(), source: "dead".into() });
        self.ask(Kind::Get, &key, get, void).await
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        let (key, path, ranges) = (path.to_string(), path.clone(), ranges.to_vec());
        let get = move |store: &InMemory| now(store.get_ranges(&path, &ranges));
        let void = || Err(Error::NotFound { path: String::new(), source: "dead".into() });
        self.ask(Kind::Get, &key, get, void).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let this = Self { simulation: self.simulation.clone(), host: self.host };
        let deleted = async move {
            let paths: Vec<Path> = match paths.try_collect().await {
                Ok(paths) => paths,
                Err(error) => return iter(vec![Err(error)]),
            };
            let key = paths.first().map(Path::to_string).unwrap_or_default();
            let all = paths.clone();
            let delete = move |store: &InMemory| {
                for path in &paths {
                    match now(store.delete(path)) {
                        Ok(()) | Err(Error::NotFound { .. }) => (),
                        Err(error) => return Err(error),
                    }
                }
                Ok(())
            };
            match this.ask(Kind::Delete, &key, delete, || Ok(())).await {
                Ok(()) => iter(all.into_iter().map(Ok).collect::<Vec<_>>()),
                Err(error) => iter(vec![Err(error)]),
            }
        };
        once(deleted).flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let this = Self { simulation: self.simulation.clone(), host: self.host };
        let prefix = prefix.cloned();
        let listed = async move {
            let key = prefix.as_ref().map(Path::to_string).unwrap_or_default();
            let list = move |store: &InMemory| {
                now(store.list(prefix.as_ref()).try_collect::<Vec<ObjectMeta>>())
            };
            match this.ask(Kind::List, &key, list, || Ok(Vec::new())).await {
                Ok(listed) => iter(listed.into_iter().map(Ok).collect::<Vec<_>>()),
                Err(error) => iter(vec![Err(error)]),
            }
        };
        once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(Error::NotImplemented {
            operation: "delimiter".into(),
            implementer: "simulated".into(),
        })
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(Error::NotImplemented { operation: "copy".into(), implementer: "simulated".into() })
    }
}
