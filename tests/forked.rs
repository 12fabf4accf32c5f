//! Real processes that fork while they are writers. What a child inherited it can neither save by, nor release,
//! nor shut down: in whatever way it ends, its parent stays the writer.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use pitstop::{CreateOptions, Error, Format, Repository, Revision, Session, SessionId, Writer};

use crate::traced;

const CHILD: &str = "forked::child";

/// Not a test of its own: what the processes of the tests below do.
#[test]
fn child() {
    let Some((task, place)) = traced::task() else { return };
    let place = Path::new(&place);
    match task.as_str() {
        "plain" => inherit(&Repository::open(place).unwrap(), Format::Plain),
        "journal" => inherit(&Repository::open(place).unwrap(), Format::Journal),
        "object" => inherit(&Repository::open("memory://forked").unwrap(), Format::Object),
        "memory" => {
            let repository = Repository::with_backend(pitstop::MemoryBackend::new());
            inherit(&repository, Format::Memory);
        }
        "share" => inherit_what_is_shared(place),
        "borrow" => inherit_what_is_borrowed(&job(place)),
        "same number" => inherit_under_the_same_number(place),
        other => panic!("no task {other}"),
    }
}

fn run(task: &str) {
    let scratch = tempfile::tempdir().unwrap();
    let status = traced::command(CHILD, task, scratch.path()).status().unwrap();
    assert!(status.success(), "{task}: {status}");
}

#[test]
fn a_writer_is_not_its_childs() {
    for task in ["plain", "journal", "object", "memory"] {
        run(task);
    }
}

#[test]
fn a_shared_writer_is_not_its_childs() {
    run("share");
}

#[test]
fn nor_is_it_a_childs_of_the_same_number() {
    run("same number");
}

fn create(repository: &Repository, format: Format) -> Session {
    let id = SessionId::new("job").unwrap();
    repository.create(&CreateOptions::new().id(id).format(format)).unwrap()
}

fn job(place: &Path) -> Session {
    Repository::open(place).unwrap().get("job").unwrap()
}

/// Runs this in a child, to its end.
fn in_child(act: impl FnOnce()) {
    // SAFETY: in the child no other thread is needed: it allocates, which the C library allows after a fork, and
    // ends without running what the harness has registered.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let outcome = catch_unwind(AssertUnwindSafe(act));
            // SAFETY: it ends the process.
            unsafe { libc::_exit(i32::from(outcome.is_err())) }
        }
        ForkResult::Parent { child } => {
            assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
        }
    }
}

fn is_refused<T>(outcome: pitstop::Result<T>) {
    match outcome {
        Err(Error::Inherited { id, .. }) => assert_eq!(id.as_str(), "job"),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is its parent's"),
    }
}

/// Takes what a child got, and ends as a child may.
type End = fn(&mut Option<Writer>);

const ENDS: [End; 5] = [
    |writer| drop(writer.take()),
    |writer| is_refused(writer.as_mut().unwrap().save(b"child")),
    |writer| is_refused(writer.as_mut().unwrap().save_from(&[7; 9 << 20][..], &Default::default())),
    |writer| is_refused(writer.take().unwrap().share()),
    |writer| {
        let writer = writer.take();
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let _writer = writer;
            std::panic::resume_unwind(Box::new("a worker that fails"));
        }));
        assert!(unwound.is_err());
    },
];

fn inherit(repository: &Repository, format: Format) {
    let session = create(repository, format);
    let mut writer = Some(session.writer().unwrap());
    let mut newest = writer.as_mut().unwrap().save(b"one").unwrap().revision;
    for end in ENDS {
        in_child(|| {
            end(&mut writer);
            drop(writer.take());
        });
        // What it leaves takes nothing from what is saved after it, and nobody else became the writer.
        assert!(matches!(session.writer(), Err(Error::Busy { .. })));
        let writer = writer.as_mut().unwrap();
        for data in [&b"two"[..], b"three"] {
            let info = writer.save(data).unwrap();
            assert_ne!(info.revision, newest);
            newest = info.revision;
            let loaded = session.load().unwrap();
            assert_eq!((loaded.data.as_slice(), loaded.info.revision), (data, newest));
        }
    }
    drop(writer);
    let loaded = session.load().unwrap();
    assert_eq!((loaded.data.as_slice(), loaded.info.revision), (&b"three"[..], newest));
    let verified = session.verify().unwrap();
    assert!(verified.findings.is_empty() && verified.revisions.iter().all(|it| it.error.is_none()));
    if format == Format::Journal {
        assert_eq!(newest, Revision::from_number(1 + 2 * ENDS.len() as u64));
    }
    assert_ne!(session.save(b"four").unwrap().revision, newest);
}

fn inherit_what_is_shared(place: &Path) {
    let session = create(&Repository::open(place).unwrap(), Format::Journal);
    let mut shared = Some(session.writer().unwrap().share().unwrap());
    let environment = shared.as_ref().unwrap().environment();
    in_child(|| drop(shared.take()));
    in_child(|| is_refused(shared.take().unwrap().into_writer().save(b"child")));
    // It is shared still: a program saves through it, and its children do not end that either.
    let mut program = traced::command(CHILD, "borrow", place);
    assert!(program.envs(environment).status().unwrap().success());
    assert!(matches!(session.writer(), Err(Error::Busy { .. })));
    let mut writer = shared.unwrap().into_writer();
    let info = writer.save(b"three").unwrap();
    assert_eq!(info.revision, Revision::from_number(3));
}

fn inherit_what_is_borrowed(session: &Session) {
    let mut writer = Some(session.writer().unwrap());
    writer.as_mut().unwrap().save(b"one").unwrap();
    for end in ENDS {
        in_child(|| {
            end(&mut writer);
            drop(writer.take());
        });
    }
    writer.unwrap().save(b"two").unwrap();
}

/// A container's first process has the number 1, and so has that of a container in it.
fn inherit_under_the_same_number(place: &Path) {
    match unshare(CloneFlags::CLONE_NEWPID) {
        Err(Errno::EPERM) => {
            eprintln!("not tested: only root makes a PID namespace");
            return;
        }
        outcome => outcome.unwrap(),
    }
    in_child(|| {
        let session = create(&Repository::open(place).unwrap(), Format::Journal);
        let mut writer = session.writer().unwrap();
        writer.save(b"one").unwrap();
        let pid = std::process::id();
        unshare(CloneFlags::CLONE_NEWPID).unwrap();
        let mut writer = Some(writer);
        in_child(|| {
            assert_eq!(std::process::id(), pid);
            is_refused(writer.as_mut().unwrap().save(b"child"));
            drop(writer.take());
        });
        assert_eq!(writer.unwrap().save(b"two").unwrap().revision, Revision::from_number(2));
    });
}
