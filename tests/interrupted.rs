//! A signal in the middle of a call of the system: each that may then fail with EINTR, without having
//! done anything, is made again. (Those that change a name are not: whether they did it, nobody knows.
//! The suite of faults has these.)

use std::collections::BTreeMap;
use std::path::Path;

use nix::libc;

use pitstop::{CreateOptions, Format, Repository, SessionId};

use crate::traced::{self, mark};

/// Not a test of its own: what the children of the test below do.
#[test]
fn child() {
    let Some((task, place)) = traced::task() else { return };
    let repository = Repository::open(Path::new(&place).join("sessions")).unwrap();
    // Now it knows what this process and this machine are called: that is asked of /proc, once.
    drop(repository.get("other").unwrap().writer().unwrap());
    let job = || repository.get("job").unwrap();
    mark();
    match task.as_str() {
        "create" => {
            repository.create(&CreateOptions::new().id(SessionId::new("new").unwrap())).unwrap();
        }
        "save" => drop(job().save(&[b'n'; 4096]).unwrap()),
        "load" => drop(job().load().unwrap()),
        "list" => drop(repository.list().unwrap()),
        "status" => drop(job().status().unwrap()),
        "last" => drop(repository.last().unwrap().unwrap()),
        "make_last" => repository.get("other").unwrap().make_last().unwrap(),
        "remove" => assert!(job().remove().unwrap().remains.is_empty()),
        other => panic!("no task {other}"),
    }
    mark();
}

fn prepare(place: &Path, format: Format) {
    let repository = Repository::open(place.join("sessions")).unwrap().with_format(format);
    for id in ["job", "other"] {
        let session = repository.get_or_create(id).unwrap();
        session.save(&[b'o'; 3000]).unwrap();
        session.make_last().unwrap();
    }
}

/// Those that are made again, and what they are called.
const AGAIN: [(libc::c_long, &str); 11] = [
    (libc::SYS_openat, "open"),
    (libc::SYS_statx, "statx"),
    (libc::SYS_readlinkat, "readlink"),
    (libc::SYS_getdents64, "getdents"),
    (libc::SYS_pread64, "pread"),
    (libc::SYS_pwrite64, "pwrite"),
    (libc::SYS_pwritev, "pwritev"),
    (libc::SYS_ftruncate, "ftruncate"),
    (libc::SYS_fsync, "fsync"),
    (libc::SYS_fdatasync, "fdatasync"),
    (libc::SYS_fcntl, "fcntl"),
];

#[test]
fn every_call_that_a_signal_interrupts_is_made_again() {
    let mut interrupted = BTreeMap::<&str, usize>::new();
    for format in [Format::Plain, Format::Journal] {
        for task in ["create", "save", "load", "list", "status", "last", "make_last", "remove"] {
            let scratch = tempfile::tempdir().unwrap();
            prepare(scratch.path(), format);
            let calls = traced::run("interrupted::child", task, scratch.path(), None).calls;
            for (call, name) in AGAIN {
                let count = calls.iter().filter(|it| **it == call).count();
                // Each of a save and of a look, and of the others the first of its kind.
                let most = if ["save", "status"].contains(&task) { count } else { 1 };
                for nth in 0..count.min(most) {
                    let scratch = tempfile::tempdir().unwrap();
                    prepare(scratch.path(), format);
                    // The child fails if its task does.
                    let child = "interrupted::child";
                    let trace = traced::interrupt(child, task, scratch.path(), (call, nth));
                    let made = trace.calls.iter().filter(|it| **it == call).count();
                    // In debug builds std asks for each descriptor's flags, for nothing but to be sure.
                    let is_again = made > count || call == libc::SYS_fcntl;
                    assert!(is_again, "{format} {task}, {name} {nth} of {count}");
                    *interrupted.entry(name).or_default() += 1;
                }
            }
        }
    }
    eprintln!("interrupted: {interrupted:?}");
    assert!(AGAIN.iter().all(|(_, name)| interrupted.contains_key(name)), "{interrupted:?}");
}
