//! A store in memory that does not do what it is asked, when told to.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use async_trait::async_trait;
use futures_util::stream::{BoxStream, StreamExt, once};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};

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
}

#[derive(Clone, Debug, Default)]
pub(super) struct Faulty {
    inner: Arc<InMemory>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<Request>,
    bytes: usize,
    plan: Option<(usize, Fault)>,
    seen: usize,
    ignores_conditions: bool,
    is_silent: bool,
    /// How many objects are being asked for, and how many were at most.
    gets: (usize, usize),
    gets_take_time: bool,
    sleep: Sleep,
}

/// Of the request that is to wait until others are done.
#[derive(Debug, Default)]
enum Sleep {
    #[default]
    No,
    At(usize),
    Asleep(Waker),
    Over,
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

    /// The keys of all objects.
    pub(super) fn keys(&self) -> Vec<String> {
        let listed = self.inner.list(None).map(|it| it.unwrap().location.to_string());
        futures_util::FutureExt::now_or_never(listed.collect()).unwrap()
    }

    /// Whether so many requests and one more were made since the plan was.
    pub(super) fn was_reached(&self, at: usize) -> bool {
        self.state.lock().unwrap().seen > at
    }

    /// After so many requests from now on, the next one waits until it is woken up.
    pub(super) fn sleep_at(&self, at: usize) {
        self.state.lock().unwrap().sleep = Sleep::At(at);
    }

    /// Returns when a request sleeps, or it is over without one.
    pub(super) fn wait_for_sleep(&self, is_over: impl Fn() -> bool) {
        while !matches!(self.state.lock().unwrap().sleep, Sleep::Asleep(_)) && !is_over() {
            std::thread::yield_now();
        }
        let sleep = &mut self.state.lock().unwrap().sleep;
        if let Sleep::At(_) = sleep {
            // Nor does any other one.
            *sleep = Sleep::No;
        }
    }

    pub(super) fn wake(&self) {
        let mut state = self.state.lock().unwrap();
        if let Sleep::Asleep(waker) = &state.sleep {
            waker.wake_by_ref();
            state.sleep = Sleep::Over;
        }
    }

    pub(super) fn has_slept(&self) -> bool {
        matches!(self.state.lock().unwrap().sleep, Sleep::Over)
    }

    async fn sleep(&self) {
        let mut is_first = true;
        std::future::poll_fn(|context| {
            let sleep = &mut self.state.lock().unwrap().sleep;
            match sleep {
                Sleep::At(0) => {
                    *sleep = Sleep::Asleep(context.waker().clone());
                    is_first = false;
                    return Poll::Pending;
                }
                Sleep::At(left) => *left -= 1,
                Sleep::Asleep(_) if !is_first => return Poll::Pending,
                _ => (),
            }
            Poll::Ready(())
        })
        .await;
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

    /// Signs of life are lost.
    pub(super) fn silence_beats(&self) {
        self.state.lock().unwrap().is_silent = true;
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

fn before(fault: Option<Fault>) -> Result<()> {
    match fault {
        Some(Fault::Overloaded) => Err(answer("status code: 503 Service Unavailable")),
        Some(Fault::Reset | Fault::Gone) => Err(answer("connection reset")),
        Some(Fault::Conflict) => {
            Err(Error::Precondition { path: String::new(), source: "409".into() })
        }
        Some(Fault::Refused) => {
            Err(Error::PermissionDenied { path: String::new(), source: "403".into() })
        }
        _ => Ok(()),
    }
}

fn after<T>(fault: Option<Fault>, done: Result<T>) -> Result<T> {
    match fault {
        Some(Fault::LostSuccess | Fault::GoneAfter) => Err(answer("connection reset")),
        _ => done,
    }
}

fn answer(text: &str) -> Error {
    Error::Generic { store: "faulty", source: text.to_owned().into() }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        path: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        let is_beat = path.as_ref().contains("/w/");
        let (ignores_conditions, is_silent) = {
            let mut state = self.state.lock().unwrap();
            state.bytes += payload.content_length();
            (state.ignores_conditions, state.is_silent)
        };
        if is_beat && is_silent {
            return Err(answer("connection reset"));
        }
        self.sleep().await;
        let fault = self.next(Request::Put);
        if ignores_conditions {
            options.mode = PutMode::Overwrite;
        }
        // A put without a condition meets none.
        if !(fault == Some(Fault::Conflict) && options.mode == PutMode::Overwrite) {
            before(fault)?;
        }
        let done = self.inner.put_opts(path, payload.clone(), options.clone()).await;
        let done = match fault {
            Some(Fault::Duplicate) => self.inner.put_opts(path, payload, options).await,
            _ => done,
        };
        after(fault, done)
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        before(self.next(Request::Put))?;
        self.inner.put_multipart_opts(path, options).await
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> Result<GetResult> {
        self.sleep().await;
        let fault = self.next(Request::Get);
        if fault != Some(Fault::Conflict) {
            before(fault)?;
        }
        self.take_time().await;
        after(fault, self.inner.get_opts(path, options).await)
    }

    async fn get_ranges(&self, path: &Path, ranges: &[Range<u64>]) -> Result<Vec<bytes::Bytes>> {
        self.inner.get_ranges(path, ranges).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let this = self.clone();
        let deleted = async move {
            this.sleep().await;
            let fault = this.next(Request::Delete);
            match before(fault) {
                Err(error) if fault != Some(Fault::Conflict) => once(async { Err(error) }).boxed(),
                _ => this.inner.delete_stream(paths).map(move |it| after(fault, it)).boxed(),
            }
        };
        once(deleted).flatten().boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (this, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            this.sleep().await;
            let fault = this.next(Request::List);
            match before(fault) {
                Err(error) if fault != Some(Fault::Conflict) => once(async { Err(error) }).boxed(),
                _ => this.inner.list(prefix.as_ref()),
            }
        };
        once(listed).flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
