//! Who writes, or wrote when it was killed: what is left of a writer, and what care for a session leaves of that.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use pitstop::{
    CreateOptions, Error, Format, PruneOptions, Repository, Session, SessionId, WriterState,
};

use crate::traced;

/// Not a test of its own: a writer that has saved, and lives until it is killed.
#[test]
fn child() {
    let Some((_, place)) = traced::task() else { return };
    let session = Repository::open(&place).unwrap().get("job").unwrap();
    let mut writer = session.writer().unwrap();
    for data in [b"one", b"two"] {
        writer.save(data).unwrap();
    }
    println!("\nready");
    loop {
        std::thread::park();
    }
}

fn create(place: &Path, format: Format) -> Session {
    let id = SessionId::new("job").unwrap();
    let options = CreateOptions::new().id(id).format(format);
    Repository::open(place).unwrap().create(&options).unwrap()
}

fn start(place: &Path) -> Child {
    let mut child =
        traced::command("records::child", "hold", place).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap() == "ready"));
    child
}

fn kill(mut child: Child) -> u32 {
    child.kill().unwrap();
    child.wait().unwrap();
    child.id()
}

fn is_interrupted(session: &Session, pid: u32) -> bool {
    let writer = session.status().unwrap().writer;
    matches!(writer, WriterState::Interrupted(owner) if owner.pid == pid)
}

/// What saves nothing leaves it known that a job was killed.
#[test]
fn care_does_not_forget_that_a_job_was_killed() {
    type Care = fn(&Session);
    let care: [(Format, Care); 7] = [
        (Format::Plain, |it| drop(it.unlock().unwrap())),
        (Format::Journal, |it| drop(it.unlock().unwrap())),
        (Format::Journal, |it| drop(it.prune(&PruneOptions::new().keep(1)).unwrap())),
        (Format::Journal, |it| it.convert(Format::Plain, true).unwrap()),
        (Format::Plain, |it| it.convert(Format::Journal, false).unwrap()),
        (Format::Journal, trash_and_restore),
        (Format::Plain, trash_and_restore),
    ];
    for (n, (format, care)) in care.into_iter().enumerate() {
        let scratch = tempfile::tempdir().unwrap();
        let session = create(scratch.path(), format);
        let pid = kill(start(scratch.path()));
        assert!(is_interrupted(&session, pid));
        for _ in 0..2 {
            care(&session);
            assert!(is_interrupted(&session, pid), "{n}: {:?}", session.status().unwrap().writer);
        }
        // A save is the end of it.
        session.save(b"three").unwrap();
        assert!(matches!(session.status().unwrap().writer, WriterState::Idle));
    }
}

fn trash_and_restore(session: &Session) {
    let trashed = session.trash().unwrap();
    session.repository().restore_from_trash(&trashed, session.id()).unwrap();
}

/// Where the lock is free, the record of a process that is seen to live counts; that of another, or one in a
/// copy of the session, does not.
#[test]
fn a_record_of_a_living_process_is_as_good_as_its_lock() {
    let scratch = tempfile::tempdir().unwrap();
    let session = create(scratch.path(), Format::Journal);
    let child = start(scratch.path());
    let file = session.location().unwrap().join("session.writer");
    let record = fs::read_to_string(&file).unwrap();
    let pid = child.id();

    let copy = Repository::open(scratch.path().join("copy")).unwrap().get_or_create("job").unwrap();
    fs::write(copy.location().unwrap().join("session.writer"), &record).unwrap();
    copy.save(b"of a copy").unwrap();

    // The lock is another file's, as that of another mount would be: this one it has not.
    fs::remove_file(&file).unwrap();
    let mut claims: serde_json::Value = serde_json::from_str(&record).unwrap();
    let mut claim = |start_time: u64| {
        let _ = fs::remove_file(&file);
        fs::write(&file, b"").unwrap();
        claims["file"] = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&file).unwrap()).into();
        claims["start_time"] = start_time.into();
        fs::write(&file, claims.to_string()).unwrap();
    };
    let started =
        serde_json::from_str::<serde_json::Value>(&record).unwrap()["start_time"].as_u64();
    claim(started.unwrap());
    match session.writer() {
        Err(Error::Busy { owner: Some(owner), .. }) => assert_eq!(owner.pid, pid),
        other => panic!("{other:?}"),
    }
    assert!(matches!(session.status().unwrap().writer, WriterState::Live(Some(_))));
    claim(started.unwrap() + 1);
    session.save(b"another process of its number").unwrap();
    claim(started.unwrap());
    kill(child);
    session.save(b"it is gone").unwrap();
}
