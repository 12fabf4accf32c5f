//! A repository with anything in it: what is bad is reported, hides nothing else, and is not followed.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pitstop::{CreateOptions, Error, Format, Repository, Unlocked, WriterState};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::watchdog::{as_nobody, within_time};

struct Place {
    scratch: tempfile::TempDir,
    repository: Repository,
}

impl Place {
    /// A repository with two good sessions, and a directory outside of it with a file in it.
    fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let repository =
            Repository::open(scratch.path().join("sessions")).unwrap().with_format(Format::Plain);
        for id in ["good", "other"] {
            repository.get_or_create(id).unwrap().save(id.as_bytes()).unwrap();
        }
        let place = Self { scratch, repository };
        fs::create_dir(place.outside()).unwrap();
        for name in ["precious", "session"] {
            fs::write(place.outside().join(name), name).unwrap();
        }
        place
    }

    fn outside(&self) -> PathBuf {
        self.scratch.path().join("outside")
    }

    fn entry(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.repository.location().join(name.as_ref())
    }

    /// A session's directory that only the test has to do with.
    fn directory(&self, name: impl AsRef<OsStr>) -> PathBuf {
        let directory = self.entry(name);
        fs::create_dir(&directory).unwrap();
        directory
    }

    fn ids(&self) -> Vec<String> {
        let listing = self.repository.list().unwrap();
        let mut ids: Vec<String> = listing.sessions.iter().map(|it| it.id.to_string()).collect();
        ids.sort();
        ids
    }

    #[track_caller]
    fn assert_unharmed(&self) {
        for name in ["precious", "session"] {
            assert_eq!(fs::read_to_string(self.outside().join(name)).unwrap(), name);
        }
        assert_eq!(fs::read_dir(self.outside()).unwrap().count(), 2);
        for id in ["good", "other"] {
            let loaded = self.repository.get(id).unwrap().load().unwrap();
            assert_eq!(loaded.data, id.as_bytes());
        }
    }
}

pub(crate) fn make_fifo(path: &Path) {
    mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

#[test]
fn what_is_no_directory_is_no_session_and_is_never_followed() {
    let place = Place::new();
    symlink("nowhere", place.entry("dangling.session")).unwrap();
    symlink(place.outside(), place.entry("outside.session")).unwrap();
    symlink("good.session", place.entry("inside.session")).unwrap();
    symlink("loop.session", place.entry("loop.session")).unwrap();
    fs::write(place.entry("file.session"), "").unwrap();
    make_fifo(&place.entry("fifo.session"));
    place.directory(".hidden.session");
    place.directory("no-session");
    place.directory(".session");
    within_time(move || {
        let listing = place.repository.list().unwrap();
        assert!(listing.problems.is_empty(), "{:?}", listing.problems);
        assert_eq!(place.ids(), ["good", "other"]);
        for id in ["dangling", "outside", "inside", "loop", "file", "fifo"] {
            let session = place.repository.get(id).unwrap();
            let corrupt = |error: &Error| {
                let there = place.entry(format!("{id}.session"));
                matches!(error, Error::Corrupt { path, .. } if *path == there)
            };
            assert!(corrupt(&session.load().unwrap_err()), "{id}");
            assert!(corrupt(&session.save(b"x").unwrap_err()), "{id}");
            assert!(corrupt(&session.status().unwrap_err()), "{id}");
            assert!(corrupt(&session.unlock().unwrap_err()), "{id}");
            assert!(corrupt(&session.remove().unwrap_err()), "{id}");
            assert!(corrupt(&session.make_last().unwrap_err()), "{id}");
            let again = CreateOptions::new().id(session.id().clone());
            let taken = place.repository.create(&again);
            assert!(matches!(taken, Err(Error::AlreadyExists { .. })), "{id}");
        }
        place.assert_unharmed();
    });
}

#[test]
fn what_is_no_file_is_no_checkpoint_and_is_never_followed() {
    let place = Place::new();
    fs::create_dir(place.directory("directory.session").join("session")).unwrap();
    make_fifo(&place.directory("fifo.session").join("session"));
    let outside = place.outside().join("session");
    symlink(outside, place.directory("link.session").join("session")).unwrap();
    symlink("/dev/zero", place.directory("zero.session").join("session")).unwrap();
    let socket = place.directory("socket.session").join("session");
    let _socket = UnixListener::bind(socket).unwrap();
    let mut bad = vec!["directory", "fifo", "link", "socket", "zero"];
    let device = place.directory("device.session").join("session");
    // The null device. Only root may make one.
    if mknodat(CWD, &device, FileType::CharacterDevice, Mode::RUSR, 0x103).is_ok() {
        bad.insert(0, "device");
    } else {
        fs::remove_dir(device.parent().unwrap()).unwrap();
    }
    within_time(move || {
        let listing = place.repository.list().unwrap();
        let names: Vec<&str> = listing.problems.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, bad.iter().map(|id| format!("{id}.session")).collect::<Vec<_>>());
        assert_eq!(place.ids(), ["good", "other"]);
        for problem in &listing.problems {
            assert!(matches!(problem.error, Error::Corrupt { .. }), "{problem:?}");
        }
        for id in bad {
            let session = place.repository.get(id).unwrap();
            assert!(matches!(session.load(), Err(Error::Corrupt { .. })), "{id}");
            let follows = pitstop::SaveOptions::new().follows(pitstop::Revision::NONE);
            assert!(matches!(session.save_with(b"x", &follows), Err(Error::Corrupt { .. })));
            match session.save(b"new") {
                // A directory is not replaced by a rename; all else is, and what a link names is not.
                Err(error) => assert!(id == "directory", "{id}: {error}"),
                Ok(_) => assert_eq!(session.load().unwrap().data, b"new"),
            }
            place.assert_unharmed();
            assert!(session.remove().unwrap().remains.is_empty(), "{id}");
            assert!(matches!(session.load(), Err(Error::NotFound { .. })));
        }
        assert_eq!(place.repository.list().unwrap().problems.len(), 0);
    });
}

#[test]
fn a_session_of_an_impossible_name_is_reported() {
    let place = Place::new();
    for name in [&b"not-\xff-utf8.session"[..], b"two\nlines.session", b"-rf.session", b" .session"]
    {
        fs::write(place.directory(OsStr::from_bytes(name)).join("session"), "kept").unwrap();
    }
    fs::create_dir(place.entry(format!("{}.session", "x".repeat(247)))).unwrap();
    let listing = place.repository.list().unwrap();
    assert_eq!(place.ids(), ["good", "other"]);
    assert_eq!(listing.problems.len(), 5);
    for problem in listing.problems {
        assert!(matches!(problem.error, Error::InvalidId { .. }), "{problem:?}");
        assert!(!problem.name.contains(char::is_control), "{problem:?}");
        assert!(!problem.error.to_string().contains(char::is_control), "{problem:?}");
        assert!(problem.error.to_string().len() < 200, "{problem:?}");
    }
}

#[test]
fn what_lies_where_plainboxs_lock_belongs_is_moved_aside_whatever_it_is() {
    let place = Place::new();
    let session = place.repository.get_or_create("job").unwrap();
    session.save(b"before").unwrap();
    let location = session.location().unwrap();
    let next = location.join("session.next");
    let make: [(&str, &dyn Fn()); 5] = [
        ("a file", &|| fs::write(&next, "").unwrap()),
        ("a directory", &|| fs::create_dir_all(next.join("full")).unwrap()),
        ("a FIFO", &|| make_fifo(&next)),
        ("a dangling link", &|| symlink("nowhere", &next).unwrap()),
        ("a link", &|| symlink(place.outside().join("precious"), &next).unwrap()),
    ];
    for (n, (what, make)) in make.iter().enumerate() {
        make();
        let (locked, state) = (session.save(b"x"), session.status().unwrap().writer);
        assert!(matches!(locked, Err(Error::Locked { .. })), "{what}: {locked:?}");
        assert!(matches!(state, WriterState::PlainBox { .. }), "{what}: {state:?}");
        assert_eq!(session.load().unwrap().data, b"before");
        let aside = location.join(format!("session.aside-{}", n + 1));
        assert_eq!(session.unlock().unwrap(), Unlocked::MovedAside(aside.clone()), "{what}");
        assert!(fs::symlink_metadata(aside).is_ok());
        session.save(b"before").unwrap();
    }
    assert!(session.remove().unwrap().remains.is_empty());
    place.assert_unharmed();
}

#[test]
fn what_lies_where_pitstops_own_files_belong_is_not_followed_and_not_waited_for() {
    let place = Place::new();
    let precious = place.outside().join("precious");
    within_time(move || {
        for own in ["session.writer", "session.new"] {
            for kind in ["link", "FIFO", "directory"] {
                let id = format!("{own} {kind}");
                let session = place.repository.get_or_create(&id).unwrap();
                session.save(b"before").unwrap();
                let there = session.location().unwrap().join(own);
                let _ = fs::remove_file(&there);
                match kind {
                    "link" => symlink(&precious, &there).unwrap(),
                    "FIFO" => make_fifo(&there),
                    _ => fs::create_dir(&there).unwrap(),
                }
                match (own, kind, session.save(b"after")) {
                    ("session.new", "link" | "FIFO", outcome) => {
                        outcome.unwrap();
                        assert_eq!(session.load().unwrap().data, b"after");
                    }
                    (_, _, Err(Error::Corrupt { path, .. } | Error::Storage { path, .. })) => {
                        assert_eq!(path, there, "{id}");
                        assert_eq!(session.load().unwrap().data, b"before");
                    }
                    (_, _, outcome) => panic!("{id}: {outcome:?}"),
                }
                place.assert_unharmed();
            }
        }
    });
}

#[test]
fn a_session_that_may_not_be_read_is_reported() {
    let place = Place::new();
    let closed = place.directory("closed.session");
    fs::write(closed.join("session"), "").unwrap();
    fs::write(place.directory("shut.session").join("session"), "").unwrap();
    for (path, mode) in [(&closed, 0o000), (&place.entry("shut.session/session"), 0o000)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }
    if !as_nobody("list", place.scratch.path()) {
        return;
    }
    let said = fs::read_to_string(place.scratch.path().join("list")).unwrap();
    assert_eq!(
        said,
        "closed.session: cannot open sessions/closed.session\n\
         good\nother\nshut\n\
         load closed: cannot open sessions/closed.session\n\
         load shut: cannot open sessions/shut.session/session\n"
    );
    fs::set_permissions(closed, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn the_last_session_is_one_of_this_repository_or_none() {
    let place = Place::new();
    place.directory(".hidden.session");
    place.directory("no-session");
    fs::create_dir(place.scratch.path().join("outside.session")).unwrap();
    symlink("good.session", place.entry("alias.session")).unwrap();
    place.directory(OsStr::from_bytes(b"\xff.session"));
    fs::write(place.entry("file.session"), "").unwrap();
    let here = place.repository.location().to_str().unwrap().to_owned();
    let (there, here_too) = (format!("{here}/good.session"), format!("{here}/"));
    let link = place.entry("last-session");
    let rows: [(&[u8], Option<&str>); 20] = [
        (b"good.session", Some("good")),
        (b"./good.session", Some("good")),
        (b"good.session/", Some("good")),
        (there.as_bytes(), Some("good")),
        // The repository was moved, or PlainBox made the link by a relative path.
        (b"/moved/away/good.session", Some("good")),
        (b"sessions/good.session", Some("good")),
        (b"../sessions/good.session", Some("good")),
        (b"missing.session", None),
        (b"last-session", None),
        (b"/etc", None),
        (b"/", None),
        (b".", None),
        (b"..", None),
        (here.as_bytes(), None),
        (here_too.as_bytes(), None),
        (b"../outside.session", None),
        (b"no-session", None),
        (b".hidden.session", None),
        (b"alias.session", None),
        (b"\xff.session", None),
    ];
    for (text, wanted) in rows {
        symlink(OsStr::from_bytes(text), &link).unwrap();
        let last = place.repository.last().unwrap();
        let shown = String::from_utf8_lossy(text);
        assert_eq!(last.as_ref().map(|it| it.id().as_str()), wanted, "{shown}");
        place.repository.get("other").unwrap().make_last().unwrap();
        assert_eq!(place.repository.last().unwrap().unwrap().id().as_str(), "other", "{shown}");
        fs::remove_file(&link).unwrap();
        place.assert_unharmed();
    }
    symlink("file.session", &link).unwrap();
    assert!(place.repository.last().unwrap().is_none());
}

#[test]
fn what_lies_where_the_link_belongs_is_reported_and_kept() {
    let place = Place::new();
    let link = place.entry("last-session");
    let kinds: [(&str, &dyn Fn()); 3] = [
        ("a file", &|| fs::write(&link, "kept").unwrap()),
        ("a directory", &|| fs::create_dir_all(link.join("kept")).unwrap()),
        ("a FIFO", &|| make_fifo(&link)),
    ];
    for (n, (kind, make)) in kinds.iter().enumerate() {
        make();
        let error = place.repository.last().unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains(kind), "{error}");
        let replacing = place.repository.create(&CreateOptions::new().replace_last());
        assert!(matches!(replacing, Err(Error::Corrupt { .. })));
        assert_eq!(place.ids(), ["good", "other"]);
        place.repository.get("good").unwrap().make_last().unwrap();
        assert_eq!(place.repository.last().unwrap().unwrap().id().as_str(), "good");
        let aside = place.entry(format!(".last-session.aside-{}", n + 1));
        assert!(fs::symlink_metadata(aside).is_ok(), "{kind}");
        fs::remove_file(&link).unwrap();
    }
    assert_eq!(fs::read(place.entry(".last-session.aside-1")).unwrap(), b"kept");
    assert!(place.entry(".last-session.aside-2/kept").is_dir());
}

#[test]
fn what_lies_where_the_link_belongs_is_kept_when_many_put_one_there() {
    let place = Place::new();
    let link = place.entry("last-session");
    for round in 0..50 {
        let _ = fs::remove_file(&link);
        let content = format!("kept {round}");
        fs::write(&link, &content).unwrap();
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for id in ["good", "other", "good", "other"] {
                let (place, start) = (&place, &start);
                scope.spawn(move || {
                    start.wait();
                    place.repository.get(id).unwrap().make_last().unwrap();
                });
            }
        });
        assert!(place.repository.last().unwrap().is_some());
        let mut entries = fs::read_dir(place.repository.location()).unwrap();
        let kept = |path: PathBuf| fs::read_to_string(path).is_ok_and(|it| it == content);
        assert!(entries.any(|it| kept(it.unwrap().path())), "round {round}");
    }
}

#[test]
fn a_link_that_a_killed_program_was_about_to_put_in_place_is_no_obstacle() {
    let place = Place::new();
    symlink("anywhere", place.entry(".good.last")).unwrap();
    place.repository.get("good").unwrap().make_last().unwrap();
    assert_eq!(place.repository.last().unwrap().unwrap().id().as_str(), "good");
    let text = fs::read_link(place.entry("last-session")).unwrap();
    assert_eq!(text, place.entry("good.session"), "PlainBox would look elsewhere");
}

#[test]
fn removing_follows_no_link_and_leaves_no_last_session() {
    let place = Place::new();
    let session = place.repository.get_or_create("job").unwrap();
    session.save(b"x").unwrap();
    session.make_last().unwrap();
    let inside = session.location().unwrap();
    symlink(place.outside(), inside.join("to a directory")).unwrap();
    symlink(place.outside().join("precious"), inside.join("to a file")).unwrap();
    symlink("nowhere", inside.join("dangling")).unwrap();
    fs::hard_link(place.outside().join("precious"), inside.join("hard")).unwrap();
    make_fifo(&inside.join("FIFO"));
    let deep = inside.join("io-logs/deep");
    fs::create_dir_all(&deep).unwrap();
    symlink(place.outside(), deep.join("to a directory")).unwrap();
    fs::write(deep.join("log"), "").unwrap();
    within_time(move || {
        assert!(session.remove().unwrap().remains.is_empty());
        assert!(place.repository.last().unwrap().is_none());
        assert!(matches!(session.remove(), Err(Error::NotFound { .. })));
        assert_eq!(place.ids(), ["good", "other"]);
        place.assert_unharmed();
        // A name can be used again.
        place.repository.get_or_create("job").unwrap().save(b"y").unwrap();
        session.remove().unwrap();
    });
}

#[test]
fn what_a_killed_removal_left_goes_with_the_next_one() {
    let place = Place::new();
    let left = place.directory(".job.removed");
    fs::write(left.join("session"), "old").unwrap();
    symlink(place.outside(), left.join("link")).unwrap();
    assert_eq!(place.ids(), ["good", "other"]);
    let session = place.repository.get_or_create("job").unwrap();
    session.save(b"x").unwrap();
    assert!(session.remove().unwrap().remains.is_empty());
    assert!(!left.exists());
    place.assert_unharmed();
}

/// A session that comes and goes is there or it is not: never damaged, never one without a checkpoint,
/// never in the way of the others.
#[test]
fn a_session_that_is_removed_meanwhile_is_not_found() {
    let place = Place::new();
    let done = AtomicBool::new(false);
    let until_done = |step: &dyn Fn()| {
        while !done.load(Ordering::Relaxed) {
            step();
        }
    };
    // Made elsewhere and moved in, so that it is never seen without its checkpoint.
    let (elsewhere, here) = (place.scratch.path().join("made"), place.entry("comes.session"));
    let handle = place.repository.get_or_create("comes").unwrap();
    handle.remove().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            until_done(&|| {
                let listing = place.repository.list().unwrap();
                assert!(listing.problems.is_empty(), "{:?}", listing.problems);
                assert!(listing.sessions.iter().all(|it| it.saved.is_some()), "{listing:?}");
                assert!(listing.sessions.len() >= 2);
            });
        });
        scope.spawn(|| {
            until_done(&|| {
                match handle.load() {
                    Ok(loaded) => assert_eq!(loaded.data, b"data"),
                    Err(error) => assert!(matches!(error, Error::NotFound { .. }), "{error:?}"),
                }
                if let Err(error) = handle.status() {
                    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
                }
            });
        });
        scope.spawn(|| {
            until_done(&|| {
                if let Err(error) = handle.save(b"data") {
                    let known = matches!(error, Error::NotFound { .. } | Error::Busy { .. });
                    assert!(known, "{error:?}");
                }
            });
        });
        let mover = scope.spawn(|| {
            for _ in 0..60 {
                fs::create_dir(&elsewhere).unwrap();
                fs::write(elsewhere.join("session"), "data").unwrap();
                fs::rename(&elsewhere, &here).unwrap();
                while let Err(error) = handle.remove() {
                    assert!(matches!(error, Error::Busy { .. }), "{error:?}");
                }
            }
        });
        let outcome = mover.join();
        done.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
    place.assert_unharmed();
    assert_eq!(place.ids(), ["good", "other"]);
    let left = fs::read_dir(place.repository.location()).unwrap().count();
    assert_eq!(left, 2, "something of a removed session is left");
}
