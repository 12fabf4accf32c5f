//! 100,000 sessions, listed. What that takes is asserted in requests; time and memory are only told.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

use async_trait::async_trait;
use futures_util::StreamExt;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService, ReqwestConnector,
};
use object_store::{ObjectStore, ObjectStoreExt};
use pitstop::{ListOptions, ObjectBackend, Repository, SaveOptions};
use twox_hash::XxHash3_64;

use super::faulty::{Faulty, Request};
use super::seaweed::server::Server;
use super::{PATIENCE, named, repository};

const COUNT: usize = 100_000;
/// Names that were used before, and are free.
const REMOVED: usize = 1000;
const KINDS: [&str; 4] = ["nightly", "canary", "release", "manual"];

fn of_a_kind() -> ListOptions {
    ListOptions::new().label("kind", Some(KINDS[0].to_owned()))
}

/// Heads and tombstones as they are put for sessions, under as many names.
async fn fill(store: &dyn ObjectStore, prefix: &str) {
    let heads = Arc::new(Faulty::new());
    let made = repository(heads.clone());
    for kind in KINDS {
        let session = made.create(&named(kind)).unwrap();
        let options = SaveOptions::new().label("kind", kind).label("host", "machine-0123");
        session.save_with(&[b'.'; 500], &options).unwrap();
    }
    made.create(&named("removed")).unwrap().remove().unwrap();
    let head = |kind: &str| heads.bytes(&format!("/{kind}"));
    let (heads, tombstone) = (KINDS.map(head), head("removed"));
    let puts = (0..COUNT + REMOVED).map(|n| {
        let (name, bytes) = match n < COUNT {
            true => (format!("job-{n:06}"), heads[n % KINDS.len()].clone()),
            false => (format!("was-{n:06}"), tombstone.clone()),
        };
        let key = format!("{prefix}/h/{:x}/{name}", XxHash3_64::oneshot(name.as_bytes()) % 16);
        async move { store.put(&key.into(), bytes.into()).await.unwrap() }
    });
    futures_util::stream::iter(puts).buffer_unordered(64).for_each(|_| async {}).await;
}

#[test]
fn a_hundred_thousand_sessions_are_listed_in_memory() {
    let (store, scratch) = (Arc::new(Faulty::new()), tempfile::tempdir().unwrap());
    futures_util::FutureExt::now_or_never(fill(&*store, "some/prefix")).unwrap();
    store.take_requests();
    let requests = || {
        let requests = store.take_requests();
        let lists = requests.iter().filter(|it| **it == Request::List).count();
        let gets = requests.iter().filter(|it| **it == Request::Get).count();
        assert_eq!(lists + gets, requests.len());
        (lists, gets)
    };
    let backend = super::backend(store.clone()).with_cache(scratch.path());
    let listing = Repository::with_backend(backend);
    assert_eq!(listing.list().unwrap().sessions.len(), COUNT);
    assert_eq!(requests(), (16, 0));
    for gets in [COUNT, 0] {
        let found = listing.list_with(&of_a_kind()).unwrap();
        assert_eq!((found.sessions.len(), requests()), (COUNT / KINDS.len(), (16, gets)));
    }
}

/// Counts what goes over the network.
#[derive(Clone, Debug, Default)]
struct Counting(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    lists: AtomicUsize,
    gets: AtomicUsize,
    others: AtomicUsize,
    now: AtomicUsize,
    most: AtomicUsize,
}

#[derive(Debug)]
struct Counted(HttpClient, Counting);

impl HttpConnector for Counting {
    fn connect(&self, options: &object_store::ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(Counted(ReqwestConnector::default().connect(options)?, self.clone())))
    }
}

#[async_trait]
impl HttpService for Counted {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let Self(client, Counting(counts)) = self;
        let is_list = request.uri().query().is_some_and(|it| it.contains("list-type=2"));
        let kind = match request.method().as_str() {
            "GET" if is_list => &counts.lists,
            "GET" => &counts.gets,
            _ => &counts.others,
        };
        kind.fetch_add(1, Relaxed);
        counts.most.fetch_max(counts.now.fetch_add(1, Relaxed) + 1, Relaxed);
        let answer = client.execute(request).await;
        counts.now.fetch_sub(1, Relaxed);
        answer
    }
}

impl Counting {
    /// How many lists, gets and others there were, and how many of them at once.
    fn take(&self) -> (usize, usize, usize, usize) {
        let take = |it: &AtomicUsize| it.swap(0, Relaxed);
        let Counts { lists, gets, others, most, .. } = &*self.0;
        (take(lists), take(gets), take(others), take(most))
    }
}

/// Takes minutes: `cargo test --release --test tests -- --ignored --nocapture hundred_thousand`.
#[test]
#[ignore = "takes minutes, to put what is listed"]
fn a_hundred_thousand_sessions_are_listed_on_seaweedfs() {
    let Some(server) = Server::start() else { return };
    let counting = Counting::default();
    let builder = server.builder(server.s3, "pitstop", "pitstop", "seaweed-secret");
    let builder = builder.with_http_connector(counting.clone());
    let store: Arc<dyn ObjectStore> = Arc::new(builder.build().unwrap());
    let start = Instant::now();
    let filled = store.clone();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(fill(&*filled, "many"));
    eprintln!("{} objects were put in {:.1?}", COUNT + REMOVED, start.elapsed());
    let scratch = tempfile::tempdir().unwrap();
    let backend = ObjectBackend::with_store("s3://pitstop/many", store, "many", PATIENCE * 100);
    let repository = Repository::with_backend(backend.unwrap().with_cache(scratch.path()));
    counting.take();
    let measured = |what: &str, options: &ListOptions| {
        let (before, start, cpu) = (resident("VmRSS"), Instant::now(), processor_seconds());
        // The most from now on.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let found = repository.list_with(options).unwrap().sessions.len();
        let (time, most) = (start.elapsed(), resident("VmHWM"));
        let requests = counting.take();
        let (cpu, more) = (processor_seconds() - cpu, (most - before) / 1024);
        eprintln!(
            "{what}: {found} in {time:.2?}, {cpu:.2} s on a processor, {more} MiB more, {requests:?}"
        );
        (found, requests)
    };
    for _ in 0..3 {
        let (found, (lists, gets, others, at_once)) = measured("list", &ListOptions::new());
        assert_eq!((found, gets, others, at_once), (COUNT, 0, 0, 16));
        // Each of the sixteen has its last page half full.
        assert!(((COUNT + REMOVED) / 1000..=(COUNT + REMOVED) / 1000 + 16).contains(&lists));
    }
    let (found, (_, gets, others, at_once)) = measured("by label", &of_a_kind());
    assert_eq!((found, gets, others, at_once), (COUNT / KINDS.len(), COUNT, 0, 32));
    for _ in 0..3 {
        let (found, (_, gets, others, _)) = measured("by label again", &of_a_kind());
        assert_eq!((found, gets, others), (COUNT / KINDS.len(), 0, 0));
    }
    let files = std::fs::read_dir(scratch.path()).unwrap();
    let len: u64 = files.map(|it| it.unwrap().metadata().unwrap().len()).sum();
    eprintln!("the cache has {} KiB", len / 1024);
}

/// KiB of memory.
fn resident(which: &str) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix(which)).unwrap();
    line.trim_matches(|it: char| !it.is_ascii_digit()).parse().unwrap()
}

/// How long this process ran so far, in itself and in the kernel.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
    ticks.map(|it| it.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}
