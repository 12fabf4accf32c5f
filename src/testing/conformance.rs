//! One suite for every backend: what a repository does, whatever it is made of.
//!
//! ```
//! use pitstop::testing::conformance::{Capabilities, check};
//! use pitstop::{Format, MemoryBackend, Repository};
//!
//! let capabilities = Capabilities { format: Format::Memory, history: true };
//! check(capabilities, || Repository::with_backend(MemoryBackend::new()));
//! ```

#![allow(clippy::unwrap_used)] // A check that fails panics.

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::{
    Checkpoint, CheckpointInfo, CopyOptions, CreateOptions, Digest, Error, Format, MemoryBackend,
    PruneOptions, Pruned, Repository, Retention, Revision, SaveOptions, Session, SessionId, Spared,
    Unlocked, WriterState,
};

/// What a backend can do beyond the common contract. What it cannot do, it must say.
#[derive(Clone, Copy, Debug)]
pub struct Capabilities {
    /// The format of the sessions that are made.
    pub format: Format,
    /// Whether sessions keep older revisions and labels.
    pub history: bool,
}

/// Puts a backend through every case; `empty` makes a new, empty repository each time.
///
/// # Panics
/// If the backend does not keep the contract. The name of the case is printed before.
pub fn check(capabilities: Capabilities, empty: impl Fn() -> Repository) {
    type Case = (&'static str, fn(&Subject));
    let cases: &[Case] = &[
        ("a new session has no checkpoint", new_session_has_no_checkpoint),
        ("a name is given once", name_is_given_once),
        ("made-up names differ", made_up_names_differ),
        ("every payload comes back", every_payload_comes_back),
        ("what is larger than memory goes in pieces", pieces),
        ("a source that fails changes nothing", source_fails),
        ("the newest checkpoint is loaded", newest_is_loaded),
        ("what a save tells is what a load tells", save_and_load_agree),
        ("a save follows the revision that it names", save_follows),
        ("there is one writer", there_is_one_writer),
        ("a removed session is gone", removed_is_gone),
        ("a session with a writer is not removed", busy_is_not_removed),
        ("what would be removed is told, and stays", would_remove),
        ("a session in the trash can be put back", trash_gives_back),
        ("the trash holds many of one name", trash_holds_many_of_one_name),
        ("what is deleted from the trash is gone", trash_is_emptied),
        ("what is sound is found to be sound", sound_is_verified),
        ("pruning takes what meets every criterion", prune_by_rules),
        ("pruning spares who is needed", prune_spares),
        ("the last session is the one made so", last_is_the_one_made_so),
        ("the last session is replaced with the first save", last_is_replaced),
        ("only the old session is replaced", only_the_old_one_is_replaced),
        ("a session in use is not replaced", busy_is_not_replaced),
        ("the listing has the newest first", listing_has_newest_first),
        ("unlocking disturbs no live writer", unlock_disturbs_nobody),
        ("labels are kept, or refused", labels),
        ("older revisions are kept, or refused", history),
        ("a history is bounded by its rule", history_is_bounded),
        ("an older revision is made the newest, or refused", restore),
        ("a session is forked", fork),
        ("a copy has the history of the original", copies_have_the_history),
        ("a copy goes on where it ended", copies_go_on),
        ("a copy is mixed with nothing else", copies_do_not_mix),
        ("a repository is copied", repositories_are_copied),
        ("of many creators one succeeds", one_creator_succeeds),
        ("of many savers none loses an update", no_update_is_lost),
    ];
    for (name, case) in cases {
        eprintln!("conformance: {name}");
        case(&Subject { repository: empty(), capabilities });
    }
}

/// What is put through a case.
struct Subject {
    repository: Repository,
    capabilities: Capabilities,
}

impl std::ops::Deref for Subject {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.repository
    }
}

impl Subject {
    fn options(&self) -> CreateOptions {
        CreateOptions::new().format(self.capabilities.format)
    }

    fn copying<'a>(&self) -> CopyOptions<'a> {
        CopyOptions::new().format(self.capabilities.format)
    }

    fn named(&self, id: &str) -> CreateOptions {
        self.options().id(SessionId::new(id).unwrap())
    }
}

fn create(repository: &Subject, id: &str) -> Session {
    repository.create(&repository.named(id)).unwrap()
}

fn ids(repository: &Subject) -> Vec<String> {
    let listing = repository.list().unwrap();
    assert!(listing.problems.is_empty(), "{:?}", listing.problems);
    listing.sessions.iter().map(|summary| summary.id.to_string()).collect()
}

macro_rules! assert_error {
    ($result:expr, $pattern:pat) => {
        match $result {
            Err($pattern) => (),
            other => panic!("expected {}, got {other:?}", stringify!($pattern)),
        }
    };
}

fn new_session_has_no_checkpoint(repository: &Subject) {
    assert!(ids(repository).is_empty());
    assert!(repository.last().unwrap().is_none());
    assert_error!(repository.get("job"), Error::NotFound { .. });
    let session = create(repository, "job");
    assert_error!(session.load(), Error::NoCheckpoint { .. });
    let summary = session.status().unwrap().summary;
    assert_eq!((summary.saved, summary.size, summary.live), (None, None, false));
    assert_eq!(ids(repository), ["job"]);
    // Saving nothing is saving.
    session.save(b"").unwrap();
    assert_eq!(session.load().unwrap().data, b"");
    assert_eq!(session.status().unwrap().summary.size, Some(0));
}

fn name_is_given_once(repository: &Subject) {
    let session = create(repository, "my job (größer)");
    session.save(b"kept").unwrap();
    let again = repository.options().id(session.id().clone());
    assert_error!(repository.create(&again), Error::AlreadyExists { .. });
    let same = repository.get_or_create("my job (größer)").unwrap();
    assert_eq!(same.load().unwrap().data, b"kept");
}

fn made_up_names_differ(repository: &Subject) {
    let options = repository.options().prefix("run of / the day");
    let made: HashSet<String> =
        (0..20).map(|_| repository.create(&options).unwrap().id().to_string()).collect();
    assert_eq!(made.len(), 20);
    assert!(made.iter().all(|id| id.starts_with("run-of---the-day-")), "{made:?}");
    assert_eq!(ids(repository).into_iter().collect::<HashSet<_>>(), made);
}

fn every_payload_comes_back(repository: &Subject) {
    let session = create(repository, "job");
    let mut writer = session.writer().unwrap();
    for size in [0, 1, 511, 512, 513, 4095, 4096, 4097, 65_537, 1 << 20] {
        let data: Vec<u8> = (0..size).map(|n| (n * 7 % 256) as u8).collect();
        writer.save(&data).unwrap();
        assert!(session.load().unwrap().data == data, "{size} bytes");
    }
}

/// So much of noise, in pieces of odd lengths, and then perhaps an error.
struct Source {
    left: u64,
    piece: usize,
    fails: bool,
}

fn source(len: u64) -> Source {
    Source { left: len, piece: 1, fails: false }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && self.fails {
            return Err(io::Error::other("the source is out of order"));
        }
        self.piece = (self.piece * 5 + 3) % 100_000;
        let most = self.piece.min(buffer.len()).min(self.left as usize);
        for byte in &mut buffer[..most] {
            *byte = (self.left.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8;
            self.left -= 1;
        }
        Ok(most)
    }
}

fn read_all(mut source: impl Read) -> Vec<u8> {
    let mut data = Vec::new();
    source.read_to_end(&mut data).unwrap();
    data
}

/// More than is saved in one piece.
const LARGE: u64 = 9_000_001;

fn pieces(repository: &Subject) {
    let session = create(repository, "job");
    assert_error!(session.open_checkpoint(), Error::NoCheckpoint { .. });
    let options = match repository.capabilities.history {
        true => SaveOptions::new().keep(Retention::All),
        false => SaveOptions::new(),
    };
    let mut writer = session.writer().unwrap();
    let mut saved = Vec::new();
    for len in [0, 5000, LARGE, LARGE + 1, 70_000] {
        let info = writer.save_from(source(len), &options).unwrap();
        let expected = read_all(source(len));
        assert_eq!((info.size, info.digest), (len, Digest::of(&expected)));
        let reader = session.open_checkpoint().unwrap();
        assert_eq!(reader.info(), &info);
        assert!(read_all(reader) == expected, "{len} bytes");
        assert!(session.load().unwrap().data == expected, "{len} bytes");
        saved.push(info);
    }
    // What was opened stays what it was.
    let mut opened = session.open_checkpoint().unwrap();
    writer.save_with(b"after them", &options).unwrap();
    let mut data = vec![0; 70_000];
    opened.read_exact(&mut data).unwrap();
    assert!(data == read_all(source(70_000)) && opened.read(&mut [0]).unwrap() == 0);
    let old = &saved[2];
    let follows_old = SaveOptions::new().follows(old.revision);
    assert_error!(writer.save_from(source(LARGE), &follows_old), Error::Conflict { .. });
    assert_eq!(session.load().unwrap().data, b"after them");
    drop(writer);
    if !repository.capabilities.history {
        assert_error!(session.open_revision(old.revision), Error::Unsupported { .. });
        return;
    }
    let reader = session.open_revision(old.revision).unwrap();
    assert_eq!(reader.info(), old);
    assert!(read_all(reader) == read_all(source(LARGE)));
    let labelled = SaveOptions::new().label("step", "7");
    let info = session.save_from(source(LARGE), &labelled).unwrap();
    assert_eq!(info.labels["step"], "7");
    assert_eq!(session.open_checkpoint().unwrap().info(), &info);
    for none in [0, u64::MAX] {
        let none = Revision::from_number(none);
        assert_error!(session.open_revision(none), Error::NoRevision { .. });
    }
}

fn source_fails(repository: &Subject) {
    let session = create(repository, "job");
    session.save(b"kept").unwrap();
    let before = session.status().unwrap().summary;
    let mut writer = session.writer().unwrap();
    for len in [0, 70_000, LARGE] {
        let failing = Source { fails: true, ..source(len) };
        match writer.save_from(failing, &SaveOptions::new()) {
            Err(Error::Input { source }) => {
                assert_eq!(source.to_string(), "the source is out of order");
            }
            other => panic!("expected Input, got {other:?}"),
        }
        assert_eq!(session.load().unwrap().data, b"kept");
        assert_eq!(session.status().unwrap().summary.saved, before.saved);
    }
    writer.save(b"goes on").unwrap();
    assert_eq!(session.load().unwrap().data, b"goes on");
}

fn newest_is_loaded(repository: &Subject) {
    let session = create(repository, "job");
    for n in 0..10_u8 {
        session.save(&[n; 100]).unwrap();
        assert_eq!(repository.get("job").unwrap().load().unwrap().data, [n; 100]);
    }
    assert_eq!(ids(repository), ["job"]);
}

fn save_and_load_agree(repository: &Subject) {
    let session = create(repository, "job");
    let mut writer = session.writer().unwrap();
    let saved = writer.save(b"some state").unwrap();
    let loaded = session.load().unwrap();
    assert_eq!(loaded.info, saved);
    assert_eq!((saved.size, saved.digest), (10, Digest::of(b"some state")));
    let summary = session.status().unwrap().summary;
    assert_eq!((summary.saved, summary.size), (Some(saved.saved), Some(10)));
    let next = writer.save(b"some state").unwrap();
    assert_ne!(next.revision, saved.revision, "the same bytes saved again are another revision");
}

fn save_follows(repository: &Subject) {
    let session = create(repository, "job");
    let after = |revision| SaveOptions::new().follows(revision);
    let first = session.save_with(b"1", &after(Revision::NONE)).unwrap();
    let second = session.save_with(b"2", &after(first.revision)).unwrap();
    match session.save_with(b"other 2", &after(first.revision)) {
        Err(Error::Conflict { expected, found, .. }) => {
            assert_eq!((expected, found), (first.revision, second.revision));
        }
        other => panic!("expected a conflict, got {other:?}"),
    }
    assert_error!(session.save_with(b"1", &after(Revision::NONE)), Error::Conflict { .. });
    assert_eq!(session.load().unwrap().data, b"2");
    let mut writer = session.writer().unwrap();
    let third = writer.save_with(b"3", &after(second.revision)).unwrap();
    writer.save_with(b"4", &after(third.revision)).unwrap();
    assert_error!(writer.save_with(b"4", &after(third.revision)), Error::Conflict { .. });
    writer.save(b"5").unwrap();
    assert_eq!(session.load().unwrap().data, b"5");
}

fn there_is_one_writer(repository: &Subject) {
    let session = create(repository, "job");
    assert_eq!(session.status().unwrap().writer, WriterState::Idle);
    let mut writer = session.writer().unwrap();
    match session.writer() {
        Err(Error::Busy { owner: Some(owner), .. }) => assert_eq!(owner.pid, std::process::id()),
        other => panic!("expected Busy with an owner, got {other:?}"),
    }
    assert_error!(session.save(b"displaced"), Error::Busy { .. });
    let status = session.status().unwrap();
    assert!(matches!(status.writer, WriterState::Live(Some(_))) && status.summary.live);
    writer.save(b"mine").unwrap();
    assert_eq!(session.load().unwrap().data, b"mine");
    // Looking does not disturb it, and other sessions have writers of their own.
    create(repository, "other").save(b"other").unwrap();
    drop(writer);
    assert_eq!(session.status().unwrap().writer, WriterState::Idle);
    session.save(b"next").unwrap();
    assert_eq!(session.load().unwrap().data, b"next");
}

fn removed_is_gone(repository: &Subject) {
    let session = create(repository, "job");
    create(repository, "other").save(b"other").unwrap();
    session.save(b"state").unwrap();
    session.make_last().unwrap();
    let removal = session.remove().unwrap();
    assert!(removal.remains.is_empty(), "{removal:?}");
    assert_eq!(ids(repository), ["other"]);
    assert!(repository.last().unwrap().is_none());
    assert_error!(session.load(), Error::NotFound { .. });
    assert_error!(session.save(b"late"), Error::NotFound { .. });
    assert_error!(session.status(), Error::NotFound { .. });
    assert_error!(session.writer(), Error::NotFound { .. });
    assert_error!(session.unlock(), Error::NotFound { .. });
    assert_error!(session.make_last(), Error::NotFound { .. });
    assert_error!(session.remove(), Error::NotFound { .. });
    let anew = create(repository, "job");
    assert_error!(anew.load(), Error::NoCheckpoint { .. });
    assert_eq!(repository.get("other").unwrap().load().unwrap().data, b"other");
}

fn busy_is_not_removed(repository: &Subject) {
    let session = create(repository, "job");
    let mut writer = session.writer().unwrap();
    writer.save(b"state").unwrap();
    assert_error!(session.remove(), Error::Busy { .. });
    writer.save(b"goes on").unwrap();
    assert_eq!(session.load().unwrap().data, b"goes on");
}

fn would_remove(repository: &Subject) {
    let session = create(repository, "job");
    session.save(&[7; 10_000]).unwrap();
    let usage = session.would_remove().unwrap();
    assert!(usage.files >= 1 && usage.bytes >= 10_000, "{usage:?}");
    assert_eq!(session.load().unwrap().data, [7; 10_000]);
    let writer = session.writer().unwrap();
    assert_error!(session.would_remove(), Error::Busy { .. });
    assert_error!(session.trash(), Error::Busy { .. });
    drop(writer);
    session.remove().unwrap();
    assert_error!(session.would_remove(), Error::NotFound { .. });
}

fn trash_gives_back(repository: &Subject) {
    let session = create(repository, "job");
    assert!(repository.trash().unwrap().is_empty());
    let saved = session.save(b"state").unwrap();
    session.make_last().unwrap();
    let usage = session.would_remove().unwrap();
    let trashed = session.trash().unwrap();
    assert_eq!((trashed.id.as_str(), trashed.usage), ("job", usage));
    assert_eq!(trashed.summary.as_ref().unwrap().saved, Some(saved.saved));
    assert!(ids(repository).is_empty() && repository.last().unwrap().is_none());
    assert_error!(session.load(), Error::NotFound { .. });
    assert_error!(session.trash(), Error::NotFound { .. });
    let [listed] = &repository.trash().unwrap()[..] else { panic!("one is in the trash") };
    assert_eq!((&listed.id, listed.removed), (&trashed.id, trashed.removed));
    assert_eq!(listed.summary.as_ref().unwrap().size, Some(5));
    let back = repository.restore_from_trash(listed, &listed.id).unwrap();
    assert_eq!(back.load().unwrap().info, saved);
    assert_eq!(repository.last().unwrap().unwrap().id(), session.id());
    assert!(repository.trash().unwrap().is_empty());
    assert_error!(
        repository.restore_from_trash(listed, &SessionId::new("other").unwrap()),
        Error::NotFound { .. }
    );
    back.save(b"goes on").unwrap();
    assert_eq!(session.load().unwrap().data, b"goes on");
}

fn trash_holds_many_of_one_name(repository: &Subject) {
    for n in 0..5_u8 {
        let session = create(repository, "job");
        session.save(&[n]).unwrap();
        session.trash().unwrap();
    }
    let anew = create(repository, "job");
    anew.save(b"anew").unwrap();
    let trash = repository.trash().unwrap();
    assert_eq!(trash.len(), 5);
    for (n, trashed) in trash.iter().enumerate() {
        assert_error!(
            repository.restore_from_trash(trashed, &trashed.id),
            Error::AlreadyExists { .. }
        );
        let name = SessionId::new(format!("back-{n}")).unwrap();
        let back = repository.restore_from_trash(trashed, &name).unwrap();
        assert_eq!(back.load().unwrap().data, [4 - n as u8], "the newest is the first");
    }
    assert!(repository.trash().unwrap().is_empty());
    assert_eq!(anew.load().unwrap().data, b"anew");
}

fn trash_is_emptied(repository: &Subject) {
    let other = create(repository, "other");
    other.save(b"other").unwrap();
    for id in ["one", "two"] {
        create(repository, id).trash().unwrap();
    }
    let trash = repository.trash().unwrap();
    let gone = trash.iter().find(|it| it.id.as_str() == "one").unwrap();
    assert!(repository.delete_from_trash(gone).unwrap().remains.is_empty());
    assert_error!(repository.delete_from_trash(gone), Error::NotFound { .. });
    assert_error!(repository.restore_from_trash(gone, &gone.id), Error::NotFound { .. });
    let [left] = &repository.trash().unwrap()[..] else { panic!("one is left") };
    assert_eq!(left.id.as_str(), "two");
    assert!(repository.sweep(false).unwrap().leftovers.is_empty());
    assert_eq!(repository.trash().unwrap().len(), 1, "the trash is no leftover");
    assert_eq!(other.load().unwrap().data, b"other");
}

fn sound_is_verified(repository: &Subject) {
    let session = create(repository, "job");
    create(repository, "new");
    let found = session.verify().unwrap();
    assert!(!found.is_damaged() && found.revisions.is_empty() && found.newest_good().is_none());
    let mut writer = session.writer().unwrap();
    let infos = [b"1", b"2", b"3"].map(|data| writer.save(data).unwrap());
    // A live writer is not disturbed, and is no damage.
    let found = session.verify().unwrap();
    assert!(!found.is_damaged() && found.findings.is_empty(), "{found:?}");
    assert_eq!(found.newest_good(), Some(infos[2].revision));
    let count = if repository.capabilities.history { 3 } else { 1 };
    let expected: Vec<_> = infos.iter().rev().take(count).cloned().map(Some).collect();
    assert_eq!(found.revisions.iter().map(|it| it.info.clone()).collect::<Vec<_>>(), expected);
    let all = repository.verify().unwrap();
    assert!(!all.is_damaged() && all.findings.is_empty() && all.problems.is_empty(), "{all:?}");
    let names: Vec<_> = all.sessions.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(names, ["job", "new"]);
    drop(writer);
    let repair = session.repair().unwrap();
    assert!(repair.renewed.is_none() && repair.moved_aside.is_empty(), "{repair:?}");
    assert_eq!(session.load().unwrap().info, infos[2]);
    session.remove().unwrap();
    assert_error!(session.verify(), Error::NotFound { .. });
    assert_error!(session.repair(), Error::NotFound { .. });
}

fn gone(pruned: &Pruned) -> Vec<&str> {
    pruned.gone.iter().map(|it| it.summary.id.as_str()).collect()
}

fn prune_by_rules(repository: &Subject) {
    for (n, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let session = create(repository, id);
        let label = SaveOptions::new().label("even", (n % 2 == 0).to_string());
        let data = vec![7; 10_000 * (n + 1)];
        let before = repository.list().unwrap().sessions.iter().map(|it| it.changed).max();
        // Clocks go in steps: save until the next one.
        loop {
            let info = match repository.capabilities.history {
                true => session.save_with(&data, &label).unwrap(),
                false => session.save(&data).unwrap(),
            };
            if before.is_none_or(|before| info.saved > before) {
                break;
            }
        }
    }
    let dry = |options: PruneOptions| repository.prune(&options.dry_run()).unwrap();
    let new = PruneOptions::new;
    assert!(gone(&dry(new())).is_empty(), "nothing goes without a criterion");
    assert_eq!(gone(&dry(new().keep(1))), ["c", "b", "a"]);
    assert_eq!(gone(&dry(new().keep(9))), [""; 0]);
    assert_eq!(gone(&dry(new().older_than(Duration::ZERO))), ["d", "c", "b", "a"]);
    assert!(gone(&dry(new().older_than(Duration::from_secs(3600)))).is_empty());
    assert!(gone(&dry(new().keep(1).older_than(Duration::from_secs(3600)))).is_empty());
    let taken = |id: &str| repository.get(id).unwrap().would_remove().unwrap().bytes;
    let least = taken("a").min(taken("b"));
    assert_eq!(gone(&dry(new().keep(2).larger_than(least - 1))), ["b", "a"]);
    assert!(gone(&dry(new().larger_than(1 << 40))).is_empty());
    assert_eq!(gone(&dry(new().total(taken("d") + taken("c")))), ["b", "a"]);
    let even = dry(new().label("even", Some("true".to_owned())));
    let labelled = if repository.capabilities.history { vec!["c", "a"] } else { Vec::new() };
    assert_eq!(gone(&even), labelled);
    assert_eq!(ids(repository), ["d", "c", "b", "a"], "a dry run removes nothing");

    let takes = taken("a");
    let pruned = repository.prune(&new().keep(3)).unwrap();
    assert_eq!((gone(&pruned), pruned.usage().bytes), (vec!["a"], takes));
    assert_eq!(ids(repository), ["d", "c", "b"]);
    let trash = repository.trash().unwrap();
    assert_eq!(trash.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["a"]);
    let pruned = repository.prune(&new().keep(2).permanently()).unwrap();
    assert_eq!(gone(&pruned), ["b"]);
    assert_eq!(
        (ids(repository), repository.trash().unwrap().len()),
        (vec!["d".into(), "c".into()], 1)
    );
}

fn prune_spares(repository: &Subject) {
    for id in ["last", "live", "idle"] {
        create(repository, id).save(id.as_bytes()).unwrap();
    }
    repository.get("last").unwrap().make_last().unwrap();
    let mut writer = repository.get("live").unwrap().writer().unwrap();
    for dry in [true, false] {
        let all = PruneOptions::new().keep(0).permanently();
        let pruned = repository.prune(&if dry { all.dry_run() } else { all }).unwrap();
        assert_eq!(gone(&pruned), ["idle"]);
        let mut spared: Vec<_> =
            pruned.spared.iter().map(|(id, why)| (id.as_str(), *why)).collect();
        spared.sort_by_key(|(id, _)| *id);
        assert_eq!(spared, [("last", Spared::Last), ("live", Spared::InUse)]);
    }
    writer.save(b"goes on").unwrap();
    assert_eq!(repository.list().unwrap().sessions.len(), 2);
}

fn last_is_the_one_made_so(repository: &Subject) {
    let (one, two) = (create(repository, "one"), create(repository, "two"));
    assert!(repository.last().unwrap().is_none());
    for session in [&one, &two, &one, &one] {
        session.make_last().unwrap();
        assert_eq!(repository.last().unwrap().unwrap().id(), session.id());
    }
    two.remove().unwrap();
    assert_eq!(repository.last().unwrap().unwrap().id(), one.id());
    one.remove().unwrap();
    assert!(repository.last().unwrap().is_none());
    create(repository, "one");
    assert_eq!(repository.last().unwrap().unwrap().id(), one.id());
}

fn last_is_replaced(repository: &Subject) {
    let old = repository.create(&repository.named("old").replace_last()).unwrap();
    assert_eq!(repository.last().unwrap().unwrap().id(), old.id());
    old.save(b"old state").unwrap();
    let bystander = create(repository, "bystander");
    bystander.save(b"kept").unwrap();
    let new = repository.create(&repository.named("new").replace_last()).unwrap();
    // Until the new one has a checkpoint, the old one is there to be resumed.
    assert_eq!(repository.last().unwrap().unwrap().load().unwrap().data, b"old state");
    // Whoever saves first, through whatever handle, completes it.
    repository.get("new").unwrap().save(b"new state").unwrap();
    assert_eq!(repository.last().unwrap().unwrap().id(), new.id());
    assert_error!(old.load(), Error::NotFound { .. });
    // Only once.
    bystander.make_last().unwrap();
    new.save(b"newer state").unwrap();
    assert_eq!(repository.last().unwrap().unwrap().load().unwrap().data, b"kept");
}

/// The name of the session that was to be replaced may have gone to another one meanwhile.
fn only_the_old_one_is_replaced(repository: &Subject) {
    let old = repository.create(&repository.named("old").replace_last()).unwrap();
    old.save(b"old state").unwrap();
    let new = repository.create(&repository.named("new").replace_last()).unwrap();
    let made = new.status().unwrap().created;
    old.remove().unwrap();
    // Clocks go in steps: make it until the next one.
    let newcomer = loop {
        let newcomer = create(repository, "old");
        if newcomer.status().unwrap().created > made {
            break newcomer;
        }
        newcomer.remove().unwrap();
    };
    newcomer.save(b"newcomer").unwrap();
    new.save(b"new state").unwrap();
    assert_eq!(newcomer.load().unwrap().data, b"newcomer");
    assert_eq!(repository.last().unwrap().unwrap().id(), new.id());
}

fn busy_is_not_replaced(repository: &Subject) {
    let old = repository.create(&repository.named("old").replace_last()).unwrap();
    let mut running = old.writer().unwrap();
    running.save(b"running").unwrap();
    let new = repository.create(&repository.named("new").replace_last()).unwrap();
    new.save(b"new state").unwrap();
    assert_eq!(repository.last().unwrap().unwrap().id(), new.id());
    running.save(b"still running").unwrap();
    assert_eq!(old.load().unwrap().data, b"still running");
}

fn listing_has_newest_first(repository: &Subject) {
    for id in ["b", "a", "c"] {
        create(repository, id);
    }
    for id in ["c", "b", "a", "c"] {
        let session = repository.get(id).unwrap();
        let before = repository.list().unwrap().sessions[0].changed;
        // Clocks go in steps: save until the next one.
        while session.save(id.as_bytes()).unwrap().saved <= before {}
        assert_eq!(ids(repository)[0], id);
    }
    assert_eq!(ids(repository), ["c", "a", "b"]);
}

fn unlock_disturbs_nobody(repository: &Subject) {
    let session = create(repository, "job");
    assert_eq!(session.unlock().unwrap(), Unlocked::Nothing);
    let mut writer = session.writer().unwrap();
    assert_error!(session.unlock(), Error::Busy { .. });
    writer.save(b"state").unwrap();
}

fn labels(repository: &Subject) {
    let session = create(repository, "job");
    session.save(b"before").unwrap();
    let options = SaveOptions::new().label("step", "7").label("phase", "copy");
    let outcome = session.save_with(b"after", &options);
    if repository.capabilities.history {
        let info = outcome.unwrap();
        assert_eq!(info.labels.get("step").map(String::as_str), Some("7"));
        assert_eq!(session.load().unwrap().info.labels, info.labels);
        let long = |size: usize| SaveOptions::new().label("long", "x".repeat(size - 8));
        session.save_with(b"long", &long(3000)).unwrap();
        let outcome = session.save_with(b"too long", &long(3001));
        assert_error!(outcome, Error::LabelsTooLong { size: 3001, most: 3000 });
        assert_eq!(session.load().unwrap().data, b"long");
    } else {
        assert_error!(outcome, Error::Unsupported { .. });
        assert_eq!(session.load().unwrap().data, b"before");
    }
}

fn history(repository: &Subject) {
    let session = create(repository, "job");
    if !repository.capabilities.history {
        let revision = session.save(b"only").unwrap().revision;
        assert_error!(session.history(), Error::Unsupported { .. });
        assert_error!(session.load_revision(revision), Error::Unsupported { .. });
        let options = SaveOptions::new().keep(Retention::All);
        assert_error!(session.save_with(b"and all before", &options), Error::Unsupported { .. });
        return;
    }
    assert!(session.history().unwrap().revisions.is_empty());
    let payload = |n: u64| n.to_string().repeat(500).into_bytes();
    let saved: Vec<_> = (1..=12).map(|n| session.save(&payload(n)).unwrap()).collect();
    let history = session.history().unwrap();
    assert!(history.damaged.is_empty());
    let numbers = |n: u64| Revision::from_number(n);
    for (n, (kept, info)) in history.revisions.iter().zip(saved.iter().rev()).enumerate() {
        let number = 12 - n as u64;
        assert_eq!((&kept.info, info.revision), (info, numbers(number)));
        let loaded = session.load_revision(info.revision).unwrap();
        assert_eq!((loaded.data, &loaded.info), (payload(number), info));
    }
    assert_eq!(history.revisions.len(), 12);
    for none in [0, 13, u64::MAX] {
        assert_error!(session.load_revision(numbers(none)), Error::NoRevision { .. });
    }
}

fn history_is_bounded(repository: &Subject) {
    if !repository.capabilities.history {
        return;
    }
    for (retention, least, most) in [
        (Retention::Revisions(5), 5, 40),
        (Retention::Bytes(1), 2, 40),
        (Retention::Default, 8, 60),
        (Retention::All, 300, 300),
    ] {
        let session = repository.create(&repository.options()).unwrap();
        let mut writer = session.writer().unwrap();
        for n in 1..=300_u64 {
            let data = n.to_le_bytes().repeat(1000);
            writer.save_with(&data, &SaveOptions::new().keep(retention)).unwrap();
        }
        let revisions = session.history().unwrap().revisions;
        assert!((least..=most).contains(&revisions.len()), "{retention:?}: {}", revisions.len());
        for (n, kept) in revisions.iter().enumerate() {
            let number = 300 - n as u64;
            assert_eq!(kept.info.revision.number(), Some(number));
            let loaded = session.load_revision(kept.info.revision).unwrap();
            assert!(loaded.data == number.to_le_bytes().repeat(1000), "{number}");
        }
    }
}

fn restore(repository: &Subject) {
    let session = create(repository, "job");
    let first = session.save(b"one").unwrap();
    if !repository.capabilities.history {
        assert_error!(session.restore(first.revision), Error::Unsupported { .. });
        return;
    }
    session.save_with(b"two", &SaveOptions::new().label("step", "2")).unwrap();
    session.save(b"three").unwrap();
    assert_error!(session.restore(Revision::from_number(9)), Error::NoRevision { .. });
    let mut writer = session.writer().unwrap();
    assert_error!(session.restore(first.revision), Error::Busy { .. });
    let restored = writer.restore(Revision::from_number(2)).unwrap();
    let newest = session.load().unwrap();
    assert_eq!((&newest.info, newest.data.as_slice()), (&restored, b"two".as_slice()));
    assert_eq!(restored.revision.number(), Some(4));
    assert_eq!(restored.labels["step"], "2");
    assert_eq!(session.load_revision(Revision::from_number(3)).unwrap().data, b"three");
    assert_eq!(session.history().unwrap().revisions.len(), 4);
}

fn fork(repository: &Subject) {
    let session = create(repository, "job");
    let named = |id: &str| CreateOptions::new().id(SessionId::new(id).unwrap());
    assert_error!(session.fork(None, &named("early")), Error::NoCheckpoint { .. });
    session.save(b"one").unwrap();
    let options = match repository.capabilities.history {
        true => SaveOptions::new().label("step", "2"),
        false => SaveOptions::new(),
    };
    let second = session.save_with(b"two", &options).unwrap();
    session.save(b"three").unwrap();
    let newest = session.fork(None, &named("newest")).unwrap();
    assert_eq!(newest.load().unwrap().data, b"three");
    assert_eq!(newest.status().unwrap().summary.format, repository.capabilities.format);
    let missing = session.fork(Some(Revision::from_number(9)), &named("early"));
    if repository.capabilities.history {
        assert_error!(missing, Error::NoRevision { .. });
        let older = session.fork(Some(second.revision), &named("older")).unwrap();
        let fork = older.load().unwrap();
        assert_eq!((fork.data.as_slice(), &fork.info.labels), (b"two".as_slice(), &second.labels));
        assert_eq!(fork.info.revision.number(), Some(1));
    } else {
        assert_error!(missing, Error::Unsupported { .. });
    }
    assert_error!(session.fork(None, &named("newest")), Error::AlreadyExists { .. });
    // They go their own ways, and a fork that failed leaves no session.
    newest.save(b"elsewhere").unwrap();
    assert_eq!(session.load().unwrap().data, b"three");
    assert!(!ids(repository).contains(&"early".to_owned()));
}

/// A session with a gap in its numbers, and labels, of long ago.
fn original() -> Session {
    let session = Repository::with_backend(MemoryBackend::new()).get_or_create("job").unwrap();
    let mut writer = session.writer().unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789);
    for (nth, number) in [2, 3, 7].into_iter().enumerate() {
        let saved = Some(long_ago + Duration::from_secs(nth as u64));
        let options = SaveOptions { number: Some(number), saved, ..SaveOptions::new() };
        let data = number.to_string().repeat(1000);
        writer.save_with(data.as_bytes(), &options.label("step", data[..1].to_owned())).unwrap();
    }
    drop(writer);
    session
}

fn newest(session: &Session) -> Checkpoint {
    session.load().unwrap()
}

fn revisions(session: &Session) -> Vec<CheckpointInfo> {
    session.history().unwrap().revisions.into_iter().map(|it| it.info).collect()
}

fn copies_have_the_history(repository: &Subject) {
    let original = original();
    let mut seen = Vec::new();
    let options = repository.copying().progress(|it| seen.push((it.done, it.total)));
    let copied = original.copy_to(repository, options).unwrap();
    let copy = copied.session;
    let (info, there) = (newest(&copy).info, newest(&original).info);
    assert_eq!((info.saved, info.digest), (there.saved, there.digest));
    if repository.capabilities.history {
        assert_eq!(copied.revisions, 3);
        assert_eq!(revisions(&copy), revisions(&original));
        assert_eq!(seen, [(1000, 3000), (2000, 3000), (3000, 3000)]);
        for info in revisions(&original) {
            let load = |session: &Session| session.load_revision(info.revision).unwrap();
            assert_eq!(load(&copy), load(&original));
        }
        // The next number is one that was never given.
        assert_eq!(copy.save(b"next").unwrap().revision.number(), Some(8));
    } else {
        assert_eq!((copied.revisions, copied.without_history), (1, 2));
        assert_eq!(copied.without_labels["step"], "7");
        assert_eq!(seen, [(1000, 1000)]);
        copy.save(b"next").unwrap();
    }
    // And back, and within the same repository.
    let elsewhere = Repository::with_backend(MemoryBackend::new());
    let back = copy.copy_to(&elsewhere, CopyOptions::new()).unwrap().session;
    assert_eq!(newest(&back).data, b"next");
    assert_eq!(newest(&back).info.saved, newest(&copy).info.saved);
    let options = CopyOptions::new().id(SessionId::new("other").unwrap());
    let other = copy.copy_to(repository, options).unwrap().session;
    assert_eq!(newest(&other).data, b"next");
    if repository.capabilities.history {
        assert_eq!(revisions(&back), revisions(&copy));
        assert_eq!(revisions(&other), revisions(&copy));
    }
    // What was never saved is copied, too.
    create(repository, "empty").copy_to(&elsewhere, CopyOptions::new()).unwrap();
    assert_error!(elsewhere.get("empty").unwrap().load(), Error::NoCheckpoint { .. });
    assert_error!(
        repository.session(SessionId::new("none").unwrap()).copy_to(&elsewhere, CopyOptions::new()),
        Error::NotFound { .. }
    );
    assert_error!(elsewhere.get("none"), Error::NotFound { .. });
}

fn copies_go_on(repository: &Subject) {
    let original = original();
    let copy = || original.copy_to(repository, repository.copying()).unwrap();
    // It was made, and nothing else was done.
    create(repository, "job");
    copy();
    assert_eq!(copy().revisions, 0);
    original.save(b"8").unwrap();
    original.save(b"9").unwrap();
    let history = repository.capabilities.history;
    assert_eq!(copy().revisions, if history { 2 } else { 1 });
    assert_eq!(newest(&copy().session).data, b"9");
    if history {
        assert_eq!(revisions(&copy().session), revisions(&original));
    }
    // One that runs is copied, and one that is written is not copied to.
    let _running = original.writer().unwrap();
    assert_eq!(copy().revisions, 0);
    let _writer = copy().session.writer().unwrap();
    assert_error!(original.copy_to(repository, repository.copying()), Error::Busy { .. });
}

fn copies_do_not_mix(repository: &Subject) {
    let original = original();
    let copy = original.copy_to(repository, repository.copying()).unwrap().session;
    copy.save(b"its own").unwrap();
    let diverged = original.copy_to(repository, repository.copying());
    assert_error!(diverged, Error::Diverged { .. });
    // The same number is not the same checkpoint.
    original.save(b"another").unwrap();
    let diverged = original.copy_to(repository, repository.copying());
    assert_error!(diverged, Error::Diverged { .. });
    assert_eq!(newest(&copy).data, b"its own");
}

fn repositories_are_copied(repository: &Subject) {
    for id in ["one", "two", "three"] {
        create(repository, id).save(id.as_bytes()).unwrap();
    }
    repository.get("two").unwrap().make_last().unwrap();
    let elsewhere = Repository::with_backend(MemoryBackend::new());
    elsewhere.get_or_create("one").unwrap().save(b"another").unwrap();
    let copied = repository.copy_to(&elsewhere, CopyOptions::new()).unwrap();
    assert_eq!(copied.copied.len(), 2);
    assert_eq!(copied.problems.len(), 1);
    assert_eq!(copied.problems[0].name, "one");
    assert!(matches!(copied.problems[0].error, Error::Diverged { .. }), "{copied:?}");
    assert_eq!(elsewhere.get("one").unwrap().load().unwrap().data, b"another");
    assert_eq!(elsewhere.get("three").unwrap().load().unwrap().data, b"three");
    assert_eq!(elsewhere.last().unwrap().unwrap().id().as_str(), "two");
    // One that has a last session keeps it.
    elsewhere.get("three").unwrap().make_last().unwrap();
    repository.copy_to(&elsewhere, CopyOptions::new()).unwrap();
    assert_eq!(elsewhere.last().unwrap().unwrap().id().as_str(), "three");
}

const RIVALS: usize = 8;

fn one_creator_succeeds(repository: &Subject) {
    for round in 0..10 {
        let id = SessionId::new(format!("round-{round}")).unwrap();
        let start = Barrier::new(RIVALS);
        let made = thread::scope(|scope| {
            let rival = || {
                start.wait();
                match repository.create(&repository.options().id(id.clone())) {
                    Ok(_) => 1,
                    Err(Error::AlreadyExists { .. }) => 0,
                    Err(error) => panic!("{error:?}"),
                }
            };
            let rivals: Vec<_> = (0..RIVALS).map(|_| scope.spawn(rival)).collect();
            rivals.into_iter().map(|rival| rival.join().unwrap()).sum::<usize>()
        });
        assert_eq!(made, 1);
    }
}

/// The ten-line race test of a store with conditional updates: every rival counts one up, again and
/// again, and in the end nothing is missing.
fn no_update_is_lost(repository: &Subject) {
    const EACH: u64 = 20;
    let session = create(repository, "counter");
    session.save(b"0").unwrap();
    let start = Barrier::new(RIVALS);
    let count_up = || {
        let mut done = 0;
        while done < EACH {
            let now = session.load().unwrap();
            let count: u64 = std::str::from_utf8(&now.data).unwrap().parse().unwrap();
            let follows = SaveOptions::new().follows(now.info.revision);
            match session.save_with((count + 1).to_string().as_bytes(), &follows) {
                Ok(_) => done += 1,
                Err(Error::Conflict { .. } | Error::Busy { .. }) => thread::yield_now(),
                Err(error) => panic!("{error:?}"),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..RIVALS {
            scope.spawn(|| {
                start.wait();
                count_up();
            });
        }
    });
    assert_eq!(session.load().unwrap().data, (RIVALS as u64 * EACH).to_string().as_bytes());
}
