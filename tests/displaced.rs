//! A writer whose session, or whose lock, was taken from it finds out before it answers.

use std::fs;
use std::path::Path;

use nix::libc;
use pitstop::{CreateOptions, Error, Format, Repository, Session, SessionId, Writer};

use crate::traced::{self, mark};

fn create(place: &Path, format: Format) -> Session {
    let id = SessionId::new("job").unwrap();
    let repository = Repository::open(place.join("sessions")).unwrap();
    repository.create(&CreateOptions::new().id(id).format(format)).unwrap()
}

type Take = fn(&Session);

/// What others do with files that are not theirs.
const TAKE: [(&str, Take); 5] = [
    ("removed or renamed", |it| fs::remove_dir_all(it.location().unwrap()).unwrap()),
    ("removed or renamed", rename_away),
    ("replaced by another directory", |it| {
        rename_away(it);
        it.repository().get_or_create("job").unwrap().save(b"another's").unwrap();
    }),
    ("removed, and nobody can tell", |it| fs::remove_file(lock_of(it)).unwrap()),
    ("replaced: another writer has come", |it| {
        fs::remove_file(lock_of(it)).unwrap();
        it.save(b"another's").unwrap();
    }),
];

fn rename_away(session: &Session) {
    let place = session.location().unwrap();
    fs::rename(&place, place.with_file_name("elsewhere")).unwrap();
}

fn lock_of(session: &Session) -> std::path::PathBuf {
    session.location().unwrap().join("session.writer")
}

/// As a tool does that puts an older state in place.
#[test]
fn a_file_of_a_journal_that_is_not_the_one_that_is_written() {
    let scratch = tempfile::tempdir().unwrap();
    let session = create(scratch.path(), Format::Journal);
    let mut writer = session.writer().unwrap();
    writer.save(b"old").unwrap();
    let segment = session.location().unwrap().join("session.journal-0");
    fs::copy(&segment, segment.with_file_name("older")).unwrap();
    writer.save(b"new").unwrap();
    fs::rename(segment.with_file_name("older"), &segment).unwrap();
    for _ in 0..2 {
        is_displaced(&mut writer, "session.journal-0: it was removed or replaced");
    }
    drop(writer);
    assert_eq!(session.load().unwrap().data, b"old");
    assert_eq!(session.save(b"goes on").unwrap().revision.number(), Some(3));
}

#[test]
fn the_next_save_fails_and_says_why() {
    for format in [Format::Plain, Format::Journal] {
        for (why, take) in TAKE {
            let scratch = tempfile::tempdir().unwrap();
            let session = create(scratch.path(), format);
            let mut writer = session.writer().unwrap();
            writer.save(b"mine").unwrap();
            take(&session);
            let before = session.load().map(|it| it.data).ok();
            for _ in 0..2 {
                is_displaced(&mut writer, why);
            }
            drop(writer);
            assert_eq!(session.load().map(|it| it.data).ok(), before, "{format}: {why}");
        }
    }
}

fn is_displaced(writer: &mut Writer, why: &str) {
    match writer.save(b"late") {
        Err(error @ Error::Displaced { .. }) => {
            assert!(error.to_string().contains(why), "{error}");
        }
        other => panic!("{why}: {other:?}"),
    }
}

/// Not a test of its own: what the child of the test below does.
#[test]
fn child() {
    let Some((_, place)) = traced::task() else { return };
    let place = Path::new(&place);
    let session = Repository::open(place.join("sessions")).unwrap().get("job").unwrap();
    let mut writer = session.writer().unwrap();
    writer.save(b"mine").unwrap();
    mark();
    let told = writer.save(b"late");
    mark();
    let told = match told {
        Ok(_) => "Ok".to_owned(),
        Err(Error::Displaced { .. }) => "Displaced".to_owned(),
        Err(Error::Indeterminate { .. }) => "Indeterminate".to_owned(),
        Err(error) => format!("{error:?}"),
    };
    fs::write(place.join("told"), told).unwrap();
}

/// Before each call of a save in turn: until the names are asked for the last time, `Ok` is no answer. Looking
/// costs no flush, and two calls at each end.
#[test]
fn a_save_under_way_is_not_told_that_it_is_done() {
    for format in [Format::Plain, Format::Journal] {
        for (why, take) in TAKE {
            let run = |at: Option<usize>| {
                let scratch = tempfile::tempdir().unwrap();
                let session = create(scratch.path(), format);
                let Some(at) = at else {
                    return (
                        traced::run("displaced::child", "", scratch.path(), None).calls,
                        String::new(),
                    );
                };
                let command = traced::command("displaced::child", "", scratch.path());
                assert!(traced::pause(command, at, || take(&session)));
                (Vec::new(), fs::read_to_string(scratch.path().join("told")).unwrap())
            };
            let (calls, _) = run(None);
            let looks: Vec<usize> =
                (0..calls.len()).filter(|&at| calls[at] == libc::SYS_statx).collect();
            let last = looks[looks.len() - 2];
            for at in 0..=last {
                let (_, told) = run(Some(at));
                assert_ne!(told, "Ok", "{format}: {why} before call {at} of {}", calls.len());
            }
        }
    }
}
