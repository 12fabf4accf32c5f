//! Listings: what they cost, and what the cache beside them may do.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pitstop::{Error, ListOptions, PruneOptions, Repository, SaveOptions, SessionId};

use super::faulty::{Fault, Faulty, Request};
use super::{backend, named, repository};

fn with_cache(store: &Arc<Faulty>, directory: &Path) -> Repository {
    Repository::with_backend(backend(store.clone()).with_cache(directory))
}

/// Fifty sessions; `kind` is `even` or `odd`.
fn filled(store: &Arc<Faulty>) -> Repository {
    let repository = repository(store.clone());
    for n in 0..50 {
        let kind = if n % 2 == 0 { "even" } else { "odd" };
        let session = repository.create(&named(&format!("job-{n}"))).unwrap();
        let label = SaveOptions::new().label("kind", kind);
        session.save_with(format!("secret payload {n}").as_bytes(), &label).unwrap();
    }
    repository.create(&named("never-saved")).unwrap();
    store.take_requests();
    repository
}

fn even() -> ListOptions {
    ListOptions::new().label("kind", Some("even".to_owned()))
}

/// How many of the sessions a listing had to look into.
fn looks(store: &Faulty) -> usize {
    let requests = store.take_requests();
    assert!(requests.iter().all(|it| matches!(it, Request::List | Request::Get)), "{requests:?}");
    assert_eq!(requests.iter().filter(|it| **it == Request::List).count(), 16);
    requests.len() - 16
}

fn file(directory: &Path) -> PathBuf {
    let mut files = fs::read_dir(directory).unwrap().map(|it| it.unwrap().path());
    let file = files.next().unwrap();
    assert!(files.next().is_none());
    file
}

#[test]
fn a_listing_looks_into_no_session_and_says_what_it_does_not_know() {
    let store = Arc::new(Faulty::new());
    let listing = filled(&store).list().unwrap();
    assert_eq!((looks(&store), listing.sessions.len()), (0, 51));
    for summary in listing.sessions {
        let is_saved = summary.id.as_str() != "never-saved";
        assert_eq!((summary.saved.is_some(), summary.size), (is_saved, None));
        assert_eq!(summary.is_in_full(), !is_saved, "{summary:?}");
    }
}

#[test]
fn a_listing_in_full_looks_into_each_session_once_and_many_at_a_time() {
    let (store, scratch) = (Arc::new(Faulty::new()), tempfile::tempdir().unwrap());
    let plain = filled(&store);
    let cached = with_cache(&store, &scratch.path().join("cache"));
    for (repository, again) in [(&plain, 51), (&cached, 0)] {
        store.watch_gets();
        let listing = repository.list_with(&even()).unwrap();
        assert_eq!((looks(&store), listing.sessions.len()), (51, 25));
        assert_eq!(store.gets_at_once(), 32);
        let listing = repository.list_with(&ListOptions::new().in_full()).unwrap();
        assert_eq!((looks(&store), listing.sessions.len()), (again, 51));
        for summary in listing.sessions {
            let status = repository.get(&summary.id).unwrap().status().unwrap().summary;
            assert_eq!(
                (summary.saved, summary.size, summary.changed, summary.live, &summary.labels),
                (status.saved, status.size, status.changed, status.live, &status.labels)
            );
        }
        store.take_requests();
    }
    // Who asks for labels elsewhere, asks in the same way.
    let pruned = cached.prune(&PruneOptions::new().label("kind", Some("odd".into())).dry_run());
    assert_eq!(pruned.unwrap().gone.len(), 25);
}

#[test]
fn what_changed_is_looked_at_again() {
    let (store, scratch) = (Arc::new(Faulty::new()), tempfile::tempdir().unwrap());
    let (other, cached) = (filled(&store), with_cache(&store, scratch.path()));
    let names = || -> Vec<String> {
        let sessions = cached.list_with(&even()).unwrap().sessions;
        sessions.iter().map(|it| it.id.to_string()).collect()
    };
    assert_eq!(names().len(), 25);
    store.take_requests();
    other.get("job-0").unwrap().save_with(b"", &SaveOptions::new().label("kind", "odd")).unwrap();
    other.get("job-2").unwrap().remove().unwrap();
    let anew = other.create(&named("job-2")).unwrap();
    anew.save_with(b"", &SaveOptions::new().label("kind", "even")).unwrap();
    other.get("job-4").unwrap().remove().unwrap();
    store.take_requests();
    let now = names();
    assert_eq!((looks(&store), now.len()), (2, 23), "{now:?}");
    assert!(now.contains(&"job-2".to_owned()) && !now.contains(&"job-4".to_owned()));
    // A writer comes, and goes without a word.
    let writer = other.get("job-6").unwrap().writer().unwrap();
    let live = |id: &str| {
        let listing = cached.list_with(&ListOptions::new().in_full()).unwrap();
        listing.sessions.iter().find(|it| it.id.as_str() == id).unwrap().live
    };
    assert!(live("job-6") && live("job-6"));
    drop(writer);
    assert!(!live("job-6"));
}

#[test]
fn the_cache_is_private_and_holds_no_checkpoint() {
    let (store, scratch) = (Arc::new(Faulty::new()), tempfile::tempdir().unwrap());
    filled(&store);
    let directory = scratch.path().join("new/cache");
    with_cache(&store, &directory).list_with(&even()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&directory), mode(&file(&directory))), (0o700, 0o600));
    let bytes = fs::read(file(&directory)).unwrap();
    let has = |text: &[u8]| bytes.windows(text.len()).any(|it| it == text);
    assert!(has(b"never-saved") && has(b"even") && !has(b"secret payload"));
}

#[test]
fn a_cache_that_is_spoilt_changes_no_answer() {
    let (store, scratch) = (Arc::new(Faulty::new()), tempfile::tempdir().unwrap());
    filled(&store);
    let directory = scratch.path().join("cache");
    let cached = with_cache(&store, &directory);
    let list = || {
        assert_eq!(cached.list_with(&even()).unwrap().sessions.len(), 25);
        looks(&store)
    };
    assert_eq!((list(), list()), (51, 0));
    let file = file(&directory);
    let good = fs::read(&file).unwrap();
    let changed = |at: usize| {
        let mut bad = good.clone();
        bad[at] ^= 1;
        bad
    };
    let spoilt = (0..good.len()).step_by(997).map(changed);
    let cut = [0, 1, 23, 24, good.len() / 2, good.len() - 1].map(|len| good[..len].to_vec());
    for bad in spoilt.chain(cut).chain([vec![0xff; 100]]) {
        fs::write(&file, bad).unwrap();
        assert_eq!((list(), list()), (51, 0));
    }
    // What others may have written counts for nothing.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o622)).unwrap();
    assert_eq!((list(), list()), (51, 0));
    fs::remove_file(&file).unwrap();
    assert_eq!((list(), list()), (51, 0));
    fs::rename(&file, scratch.path().join("elsewhere")).unwrap();
    symlink(scratch.path().join("elsewhere"), &file).unwrap();
    assert_eq!((list(), list()), (51, 0));
    // Where nothing can be kept, all is asked for each time.
    fs::remove_dir_all(&directory).unwrap();
    fs::write(&directory, "in the way").unwrap();
    assert_eq!((list(), list()), (51, 51));
}

#[test]
fn a_cache_of_another_repository_is_not_taken_for_this_one() {
    let scratch = tempfile::tempdir().unwrap();
    // Stores in memory number their versions, so that these are the same; the clock tells them apart,
    // or else the location.
    for (location, kind) in [("test://a", "even"), ("test://a", "odd"), ("test://b", "even")] {
        let store = Arc::new(Faulty::new());
        let backend = pitstop::ObjectBackend::with_store(location, store, "p", super::PATIENCE);
        let repository = Repository::with_backend(backend.unwrap().with_cache(scratch.path()));
        let session = repository.create(&named("job")).unwrap();
        session.save_with(b"1", &SaveOptions::new().label("kind", kind)).unwrap();
        let found = repository.list_with(&even()).unwrap().sessions.len();
        assert_eq!(found, usize::from(kind == "even"), "{location}");
    }
}

#[test]
fn a_listing_in_full_shows_what_is_damaged_and_goes_on() {
    let (store, scratch) = (Arc::new(Faulty::new()), tempfile::tempdir().unwrap());
    let many = filled(&store);
    // Labels that are longer than what is read at first.
    let session = many.create(&named("long")).unwrap();
    for n in 0..8 {
        let long = SaveOptions::new().label("kind", "even").label("n", "x".repeat(2500 + n));
        session.save_with(b"", &long).unwrap();
    }
    store.change("/job-7", |data| data[60] ^= 1);
    for repository in [with_cache(&store, scratch.path()), many] {
        for _ in 0..2 {
            let listing = repository.list_with(&even()).unwrap();
            assert_eq!(listing.sessions.len(), 26);
            let [problem] = &listing.problems[..] else { panic!("{:?}", listing.problems) };
            assert_eq!(problem.id, Some(SessionId::new("job-7").unwrap()));
            assert!(matches!(problem.error, Error::Corrupt { .. }));
        }
    }
}

/// One failure of many is made good by one request more, or by what is left of one listing.
#[test]
fn what_fails_once_is_asked_for_once_more() {
    let (store, scratch) = (Arc::new(Faulty::new()), tempfile::tempdir().unwrap());
    let plain = filled(&store);
    let all = || with_cache(&store, &scratch.path().join("none")).list_with(&even()).unwrap();
    store.take_requests();
    store.plan(Some((16 + 40, Fault::Overloaded)));
    assert_eq!(all().sessions.len(), 25);
    assert_eq!(looks(&store), 51 + 1);
    store.plan(None);
    // Of each shard a part is listed before it fails, and no more than that shard once more.
    for after in [0, 1, 20, 50] {
        store.fail_listing_after(after);
        store.take_requests();
        assert_eq!(plain.list().unwrap().sessions.len(), 51);
        assert_eq!(store.listed(), 51, "after {after}");
        assert_eq!(store.take_requests(), [Request::List; 17], "after {after}");
    }
}

#[test]
fn a_listing_without_end_is_given_up() {
    let store = Arc::new(Faulty::new());
    let plain = filled(&store);
    store.list_for_ever();
    let error = plain.list().unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("no end"), "{source}");
}

/// An object that is none of Pitstop's names itself, and hides no session.
#[test]
fn a_foreign_key_is_told_and_hides_nothing() {
    let store = Arc::new(Faulty::new());
    let plain = filled(&store);
    let foreign =
        ["h/0/not!a!name", "h/0/deeper/job-1", "h/0/job-1", "h/zz/job-1", "t/odd", "w/0/odd"];
    let mut keys: Vec<String> = foreign.map(|it| format!("some/prefix/{it}")).to_vec();
    // One of the shards is the right one.
    keys.retain(|it| !store.keys().contains(it));
    for key in &keys {
        store.restore((key.as_str().into(), b"foreign".repeat(100)));
    }
    let listing = plain.list().unwrap();
    assert_eq!(listing.sessions.len(), 51);
    let told: Vec<_> = listing.problems.iter().map(|it| it.name.clone()).collect();
    let expected = keys.iter().filter(|it| it.contains("/h/0/"));
    let expected: Vec<_> = expected.map(|it| it.replace("some/prefix/", "")).collect();
    assert_eq!(told.len(), expected.len(), "{told:?}");
    assert!(expected.iter().all(|it| told.contains(it)), "{told:?}");
    assert!(plain.trash().unwrap().is_empty());
    plain.sweep(false).unwrap();
    assert!(keys.iter().all(|it| store.keys().contains(it)), "{:?}", store.keys());
}
