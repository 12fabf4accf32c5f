//! A store in memory that does not do what it is asked, when told to.

mod answers;
mod sleep;
mod upload;

use std::sync::{Arc, Mutex};
use std::task::Poll;

use futures_util::stream::StreamExt;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutOptions, PutPayload};
use sleep::Sleep;

/// How a request goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The store says that it is overloaded, and did nothing.
    Overloaded,
    /// The connection breaks, and nothing was done.
    Reset,
    /// It was done, and the answer is lost.
    LostSuccess,
    /// It is done twice, and the second answer comes.
    Duplicate,
    /// Somebody else is changing it, says the store, though nobody is.
    Conflict,
    /// The credentials do not allow it.
    Refused,
    /// The store is gone from this request on.
    Gone,
    /// This one is done, but no answer ever comes again.
    GoneAfter,
}

impl Fault {
    pub(super) const ALL: &[Self] = &[
        Self::Overloaded,
        Self::Reset,
        Self::LostSuccess,
        Self::Duplicate,
        Self::Conflict,
        Self::Refused,
        Self::Gone,
        Self::GoneAfter,
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Put,
    Get,
    List,
    Delete,
    /// Of an upload in pieces.
    Begin,
    Piece,
    Complete,
    Abort,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Faulty {
    inner: Arc<InMemory>,
    state: Arc<Mutex<State>>,
    sleep: Arc<Sleep>,
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<Request>,
    bytes: usize,
    plan: Option<(usize, Fault)>,
    seen: usize,
    ignores_conditions: bool,
    /// How many objects are being asked for, and how many were at most.
    gets: (usize, usize),
    gets_take_time: bool,
    /// That were begun and not ended.
    uploads: usize,
    /// The request of which a copy stays on the way, and that copy.
    copied: Option<usize>,
    copy: Option<Copy>,
    /// Each head and tombstone that ever stood, in their order.
    heads: Vec<(Path, bytes::Bytes)>,
    /// The heartbeats whose keys have this in them are lost.
    lost_heartbeats: Vec<String>,
    /// How many tries of each heartbeat fail, and how many of the one that is being sent did.
    failing_tries: (usize, usize),
    /// How many objects a listing gives before it fails once.
    listing_fails_after: Option<usize>,
    /// A listing begins again when it is at its end.
    lists_for_ever: bool,
    /// How many objects were listed.
    listed: usize,
}

/// A request that comes again when it is late.
#[derive(Debug)]
enum Copy {
    Put(Path, PutPayload, PutOptions),
    Delete(Vec<Path>),
}

impl Faulty {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// What is to go wrong, counted from now on.
    pub(super) fn plan(&self, plan: Option<(usize, Fault)>) {
        let mut state = self.state.lock().unwrap();
        (state.plan, state.seen) = (plan, 0);
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    pub(super) fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    /// How many bytes were put.
    pub(super) fn take_bytes(&self) -> usize {
        std::mem::take(&mut self.state.lock().unwrap().bytes)
    }

    pub(super) fn ignore_conditions(&self) {
        self.state.lock().unwrap().ignores_conditions = true;
    }

    /// Counts from now on how many objects are asked for at once.
    pub(super) fn watch_gets(&self) {
        let mut state = self.state.lock().unwrap();
        (state.gets, state.gets_take_time) = ((0, 0), true);
    }

    pub(super) fn gets_at_once(&self) -> usize {
        let mut state = self.state.lock().unwrap();
        state.gets_take_time = false;
        state.gets.1
    }

    /// Does the one thing, and the other while the request `at` of the first sleeps; whether it did.
    pub(super) fn while_asleep<T: Send>(
        &self,
        at: usize,
        sleeper: impl FnOnce() -> T + Send,
        meanwhile: impl FnOnce(),
    ) -> (T, bool) {
        self.sleep.while_asleep(at, sleeper, meanwhile)
    }

    /// How many uploads in pieces were begun and not ended.
    pub(super) fn uploads(&self) -> usize {
        self.state.lock().unwrap().uploads
    }

    /// The keys of all objects.
    pub(super) fn keys(&self) -> Vec<String> {
        let listed = self.inner.list(None).map(|it| it.unwrap().location.to_string());
        futures_util::FutureExt::now_or_never(listed.collect()).unwrap()
    }

    /// The object whose key has this in it.
    pub(super) fn bytes(&self, key: &str) -> bytes::Bytes {
        self.bytes_if_there(key).unwrap()
    }

    pub(super) fn bytes_if_there(&self, key: &str) -> Option<bytes::Bytes> {
        let path = self.keys().into_iter().find(|it| it.contains(key))?.into();
        let bytes = async { self.inner.get(&path).await.ok()?.bytes().await.ok() };
        futures_util::FutureExt::now_or_never(bytes).flatten()
    }

    /// Whether so many requests and one more were made since the plan was.
    pub(super) fn was_reached(&self, at: usize) -> bool {
        self.state.lock().unwrap().seen > at
    }

    /// Lets all others go first who were asked for an object before this returns.
    async fn take_time(&self) {
        if !self.state.lock().unwrap().gets_take_time {
            return;
        }
        let change = |by: isize| {
            let gets = &mut self.state.lock().unwrap().gets;
            gets.0 = gets.0.checked_add_signed(by).unwrap();
            gets.1 = gets.1.max(gets.0);
        };
        change(1);
        let mut turns = 0;
        std::future::poll_fn(|context| {
            turns += 1;
            context.waker().wake_by_ref();
            if turns > 100 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        change(-1);
    }

    /// The heartbeats whose keys have this in them are lost from now on.
    pub(super) fn lose_heartbeats(&self, of: &str) {
        self.state.lock().unwrap().lost_heartbeats.push(of.to_owned());
    }

    /// They come again.
    pub(super) fn lose_no_heartbeats(&self) {
        self.state.lock().unwrap().lost_heartbeats.clear();
    }

    /// So many tries of each heartbeat fail.
    pub(super) fn fail_heartbeats(&self, tries: usize) {
        self.state.lock().unwrap().failing_tries = (tries, 0);
    }

    /// Whether this try to put an object gets there.
    fn is_heard(&self, path: &Path) -> bool {
        let state = &mut *self.state.lock().unwrap();
        if !path.as_ref().contains("/w/") {
            return true;
        }
        let (most, failed) = &mut state.failing_tries;
        if *failed < *most {
            *failed += 1;
            return false;
        }
        *failed = 0;
        !state.lost_heartbeats.iter().any(|it| path.as_ref().contains(it.as_str()))
    }

    /// A copy of this request stays on the way, counted from now on.
    pub(super) fn copy_request(&self, at: usize) {
        let mut state = self.state.lock().unwrap();
        (state.copied, state.copy, state.seen) = (Some(at), None, 0);
    }

    /// Whether that is a put of an object whose key has this in it.
    pub(super) fn was_copied_to(&self, key: &str) -> bool {
        let state = self.state.lock().unwrap();
        matches!(&state.copy, Some(Copy::Put(path, ..)) if path.as_ref().contains(key))
    }

    fn is_copied(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.copied == Some(state.seen)
    }

    fn keep_copy(&self, copy: Copy) {
        self.state.lock().unwrap().copy = Some(copy);
    }

    /// The copy arrives, whatever the store answers to it.
    pub(super) fn deliver_copy(&self) {
        let copy = self.state.lock().unwrap().copy.take();
        let arrived = async {
            match copy {
                Some(Copy::Put(path, payload, options)) => {
                    let _ = self.inner.put_opts(&path, payload, options).await;
                }
                Some(Copy::Delete(paths)) => {
                    for path in paths {
                        let _ = self.inner.delete(&path).await;
                    }
                }
                None => (),
            }
        };
        futures_util::FutureExt::now_or_never(arrived).unwrap();
    }

    /// What ever stood under a name, in its order.
    pub(super) fn heads_of(&self, name: &str) -> Vec<bytes::Bytes> {
        let state = self.state.lock().unwrap();
        let of_it = state.heads.iter().filter(|(path, _)| path.filename() == Some(name));
        of_it.map(|(_, bytes)| bytes.clone()).collect()
    }

    fn note_head(&self, path: &Path, payload: &PutPayload) {
        if path.as_ref().contains("/h/") {
            let bytes = payload.clone().into();
            self.state.lock().unwrap().heads.push((path.clone(), bytes));
        }
    }

    /// A listing fails once after so many objects; how many were listed is counted from now on.
    pub(super) fn fail_listing_after(&self, objects: usize) {
        let mut state = self.state.lock().unwrap();
        (state.listing_fails_after, state.listed) = (Some(objects), 0);
    }

    pub(super) fn listed(&self) -> usize {
        self.state.lock().unwrap().listed
    }

    pub(super) fn list_for_ever(&self) {
        self.state.lock().unwrap().lists_for_ever = true;
    }

    /// Whether one more object can be listed.
    fn list_one(&self) -> bool {
        let state = &mut *self.state.lock().unwrap();
        if state.listing_fails_after == Some(state.listed) {
            state.listing_fails_after = None;
            return false;
        }
        state.listed += 1;
        true
    }

    fn lists_for_ever(&self) -> bool {
        self.state.lock().unwrap().lists_for_ever
    }

    /// Changes the newest object whose key has this in it, and returns it as it was.
    pub(super) fn change(&self, key: &str, change: impl FnOnce(&mut Vec<u8>)) -> (Path, Vec<u8>) {
        futures_util::FutureExt::now_or_never(async {
            let mut listed: Vec<_> = self.inner.list(None).map(|it| it.unwrap()).collect().await;
            listed.retain(|it| it.location.as_ref().contains(key));
            let path = listed.pop().unwrap().location;
            let before = self.inner.get(&path).await.unwrap().bytes().await.unwrap().to_vec();
            let mut data = before.clone();
            change(&mut data);
            self.inner.put(&path, data.into()).await.unwrap();
            (path, before)
        })
        .unwrap()
    }

    pub(super) fn restore(&self, (path, data): (Path, Vec<u8>)) {
        futures_util::FutureExt::now_or_never(self.inner.put(&path, data.into())).unwrap().unwrap();
    }

    /// The fault of the next request, if it is to have one.
    fn next(&self, request: Request) -> Option<Fault> {
        let mut state = self.state.lock().unwrap();
        state.requests.push(request);
        let (seen, plan) = (state.seen, state.plan);
        state.seen += 1;
        match plan {
            Some((at, fault)) if at == seen => Some(fault),
            Some((at, Fault::Gone | Fault::GoneAfter)) if at < seen => Some(Fault::Gone),
            _ => None,
        }
    }
}
