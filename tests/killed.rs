//! SIGKILL in place of each system call of each operation: nothing acknowledged is lost, and the next
//! one goes on with no manual step. And what a save costs, counted in system calls.

use std::path::Path;

use nix::libc;
use pitstop::{CreateOptions, Error, Format, Repository, SaveOptions, SessionId};

use crate::traced::{self, mark};

/// Not a test of its own: what the children of the tests below do.
#[test]
fn child() {
    let Some((task, place)) = traced::task() else { return };
    let repository = Repository::open(Path::new(&place).join("sessions")).unwrap();
    let job = || repository.get("job").unwrap();
    match task.as_str() {
        "create plain" => between_marks(|| drop(create(&repository, "job", Format::Plain, false))),
        "create journal" => {
            between_marks(|| drop(create(&repository, "job", Format::Journal, false)))
        }
        "save" => between_marks(|| drop(job().save(&NEW).unwrap())),
        "remove" => between_marks(|| drop(job().remove().unwrap())),
        "make_last" => between_marks(|| repository.get("other").unwrap().make_last().unwrap()),
        "replace" => between_marks(|| {
            create(&repository, "new", Format::Journal, true).save(&NEW).unwrap();
        }),
        "save with a held writer" => {
            let mut writer = job().writer().unwrap();
            writer.save(&OLD).unwrap();
            between_marks(|| drop(writer.save(&NEW).unwrap()));
        }
        "stream" => between_marks(|| {
            drop(job().save_from(large().as_slice(), &SaveOptions::new()).unwrap())
        }),
        "load" => {
            let job = job();
            between_marks(|| drop(job.load().unwrap()));
        }
        other => panic!("no task {other}"),
    }
}

fn between_marks(task: impl FnOnce()) {
    mark();
    task();
    mark();
}

const OLD: [u8; 3000] = [b'o'; 3000];
const NEW: [u8; 4096] = [b'n'; 4096];

/// More than is saved in one piece.
fn large() -> Vec<u8> {
    (0..9_u32 << 18).flat_map(u32::to_le_bytes).collect()
}

fn create(repository: &Repository, id: &str, format: Format, replace: bool) -> pitstop::Session {
    let options = CreateOptions::new().id(SessionId::new(id).unwrap()).format(format);
    let options = if replace { options.replace_last() } else { options };
    repository.create(&options).unwrap()
}

/// Kills the task at its first call, at its second ... until it gets to its end. Each time `before`
/// has made the repository and `after` judges what is left; both leave `other` as it is.
fn kill_everywhere(task: &str, before: fn(&Repository), after: fn(&Repository)) {
    let mut point = 0;
    while kill_at(task, point, before, after) {
        point += 1;
    }
    assert!(point > 5, "{task} was killed at {point} points only");
    eprintln!("{task}: killed at each of {point} system calls");
}

/// Kills the task at this call. Says whether it gets there.
fn kill_at(task: &str, point: usize, before: fn(&Repository), after: fn(&Repository)) -> bool {
    let scratch = tempfile::tempdir().unwrap();
    let repository = Repository::open(scratch.path().join("sessions")).unwrap();
    before(&repository);
    let trace = traced::run("killed::child", task, scratch.path(), Some(point));
    after(&repository);
    let listing = repository.list().unwrap();
    assert!(listing.problems.is_empty(), "{task}, call {point}: {:?}", listing.problems);
    assert!(listing.sessions.iter().all(|it| !it.live), "{task}, call {point}");
    trace.killed
}

fn with_plain_job(repository: &Repository) {
    with_job(repository, Format::Plain);
}

fn with_journal_job(repository: &Repository) {
    with_job(repository, Format::Journal);
}

fn with_job(repository: &Repository, format: Format) {
    create(repository, "job", format, true).save(&OLD).unwrap();
    create(repository, "other", format, false).save(b"other").unwrap();
}

fn goes_on(repository: &Repository, id: &str) {
    let session = repository.get_or_create(id).unwrap();
    session.save(b"goes on").unwrap();
    assert_eq!(session.load().unwrap().data, b"goes on");
}

#[test]
fn create_killed_anywhere() {
    type After = fn(&Repository);
    let after: [(&str, After); 2] = [
        ("create plain", |repository| is_free_or_as_asked(repository, Format::Plain)),
        ("create journal", |repository| is_free_or_as_asked(repository, Format::Journal)),
    ];
    for (task, after) in after {
        kill_everywhere(task, |_| (), after);
    }
}

fn is_free_or_as_asked(repository: &Repository, format: Format) {
    match repository.get("job") {
        Ok(job) => assert_eq!(job.status().unwrap().summary.format, format),
        Err(Error::NotFound { .. }) => drop(create(repository, "job", format, false)),
        Err(error) => panic!("{error:?}"),
    }
    goes_on(repository, "job");
}

#[test]
fn save_killed_anywhere() {
    let after: fn(&Repository) = |repository| {
        let loaded = repository.get("job").unwrap().load().unwrap().data;
        assert!(loaded == OLD || loaded == NEW, "{} bytes", loaded.len());
        goes_on(repository, "job");
        assert_eq!(repository.get("other").unwrap().load().unwrap().data, b"other");
    };
    for before in [with_plain_job, with_journal_job] {
        kill_everywhere("save", before, after);
    }
}

/// At each of the calls with which it begins and ends, and at some of those that write piece after piece.
#[test]
fn save_of_a_stream_killed_in_many_places() {
    const EACH: usize = 30;
    let after: fn(&Repository) = |repository| {
        let job = repository.get("job").unwrap();
        let loaded = job.load().unwrap().data;
        assert!(loaded == OLD || loaded == large(), "{} bytes", loaded.len());
        goes_on(repository, "job");
        let left = std::fs::read_dir(job.location().unwrap()).unwrap();
        let unfinished = ["session.new", "session.journal.new"];
        assert!(
            left.into_iter()
                .all(|it| !unfinished.contains(&&*it.unwrap().file_name().to_string_lossy()))
        );
    };
    for before in [with_plain_job, with_journal_job] {
        let all = calls("stream", before).len();
        let between = (EACH..all - EACH).step_by(23);
        for point in (0..EACH).chain(between).chain(all - EACH..all - 1) {
            kill_at("stream", point, before, after);
        }
        eprintln!("stream: killed at many of {all} system calls");
    }
}

#[test]
fn remove_killed_anywhere() {
    let after: fn(&Repository) = |repository| {
        match repository.get("job").map(|job| job.load()) {
            Ok(whole) => assert_eq!(whole.unwrap().data, OLD),
            Err(gone) => assert!(matches!(gone, Error::NotFound { .. }), "{gone:?}"),
        }
        goes_on(repository, "job");
        repository.get("job").unwrap().remove().unwrap();
        assert_eq!(repository.list().unwrap().sessions.len(), 1);
    };
    for before in [with_plain_job, with_journal_job] {
        kill_everywhere("remove", before, after);
    }
}

#[test]
fn make_last_killed_anywhere() {
    let after: fn(&Repository) = |repository| {
        let last = repository.last().unwrap().unwrap();
        assert!(["job", "other"].contains(&last.id().as_str()));
        repository.get("other").unwrap().make_last().unwrap();
        assert_eq!(repository.last().unwrap().unwrap().id().as_str(), "other");
    };
    for before in [with_plain_job, with_journal_job] {
        kill_everywhere("make_last", before, after);
    }
}

#[test]
fn replacing_the_last_session_killed_anywhere() {
    let after: fn(&Repository) = |repository| {
        let last = repository.last().unwrap().unwrap();
        let data = last.load().unwrap().data;
        assert!(data == OLD || data == NEW, "{last:?}");
        // What was begun is completed by whoever saves next.
        goes_on(repository, "new");
        if repository.get("job").is_err() {
            assert_eq!(repository.last().unwrap().unwrap().id().as_str(), "new");
        }
    };
    for before in [with_plain_job, with_journal_job] {
        kill_everywhere("replace", before, after);
    }
}

/// The calls of one task on a session of this format.
fn calls(task: &str, before: fn(&Repository)) -> Vec<libc::c_long> {
    let scratch = tempfile::tempdir().unwrap();
    before(&Repository::open(scratch.path().join("sessions")).unwrap());
    traced::run("killed::child", task, scratch.path(), None).calls
}

fn flushes(calls: &[libc::c_long]) -> usize {
    calls.iter().filter(|&&it| it == libc::SYS_fsync || it == libc::SYS_fdatasync).count()
}

/// The seed's calls (open, write, flush, rename, flush) and, for what they lack, a look at the file and
/// PlainBox's lock taken and given back: no flush more.
#[test]
fn a_plain_save_makes_these_system_calls() {
    assert_eq!(
        file_calls(&calls("save with a held writer", with_plain_job)),
        [
            libc::SYS_openat,
            libc::SYS_pwrite64,
            libc::SYS_fsync,
            libc::SYS_close,
            libc::SYS_renameat,
            libc::SYS_fsync,
        ]
    );
    assert_eq!(flushes(&calls("save", with_plain_job)), 2, "also on its own");
}

#[test]
fn a_journal_save_is_one_write_and_one_flush() {
    let calls = file_calls(&calls("save with a held writer", with_journal_job));
    assert_eq!(calls, [libc::SYS_pwritev, libc::SYS_fdatasync]);
}

#[test]
fn a_journal_save_on_its_own_is_one_flush() {
    assert_eq!(flushes(&calls("save", with_journal_job)), 1);
}

#[test]
fn a_load_changes_nothing() {
    for before in [with_plain_job, with_journal_job] {
        let calls = calls("load", before);
        let changes = [
            libc::SYS_pwrite64,
            libc::SYS_pwritev,
            libc::SYS_ftruncate,
            libc::SYS_renameat,
            libc::SYS_linkat,
            libc::SYS_unlinkat,
        ];
        assert_eq!(calls.iter().filter(|call| changes.contains(call)).count(), 0);
        assert_eq!(flushes(&calls), 0);
        assert!(file_calls(&calls).len() < 20, "{}", file_calls(&calls).len());
    }
}

/// Without looks at what is there, memory, and the check of a descriptor that debug builds make.
fn file_calls(calls: &[libc::c_long]) -> Vec<libc::c_long> {
    let others = [
        libc::SYS_fstat,
        libc::SYS_statx,
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mremap,
        libc::SYS_fcntl,
    ];
    calls.iter().copied().filter(|call| !others.contains(call)).collect()
}
