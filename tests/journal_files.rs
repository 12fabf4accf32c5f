//! The files of a journal: how many are open at once, and what becomes of those that have a second name.

use std::fs;
use std::path::Path;
use std::process::Command;

use pitstop::seam::save_in_pieces;
use pitstop::{
    CreateOptions, Error, Format, PruneOptions, Repository, Retention, Revision, SaveOptions,
    Session, SessionId,
};

/// Says to the child where its repository is.
const PLACE: &str = "PITSTOP_TEST_FEW_FILES";
/// Each of them has a file of its own.
const REVISIONS: u64 = 150;

fn create(repository: &Repository, id: &str) -> Session {
    let options = CreateOptions::new().id(SessionId::new(id).unwrap()).format(Format::Journal);
    repository.create(&options).unwrap()
}

fn data(number: u64) -> Vec<u8> {
    format!("revision {number}").repeat(50).into_bytes()
}

#[test]
fn a_session_that_keeps_everything_needs_few_open_files() {
    let scratch = tempfile::tempdir().unwrap();
    let session = create(&Repository::open(scratch.path()).unwrap(), "job");
    let mut writer = session.writer().unwrap();
    for number in 1..=REVISIONS {
        let options = SaveOptions::new().keep(Retention::All);
        save_in_pieces(&mut writer, &mut &*data(number), &options).unwrap();
    }
    drop(writer);
    let files = fs::read_dir(session.location().unwrap()).unwrap().count() as u64;
    assert!(files > REVISIONS, "{files} files");
    let limited = r#"ulimit -n 64 && exec "$0" --exact journal_files::child --nocapture"#;
    let child = Command::new("sh")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .env(PLACE, scratch.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{told}{}", String::from_utf8_lossy(&child.stderr));
    assert!(told.contains("1 passed"), "{told}");
    assert!(Repository::open(scratch.path()).unwrap().get("job").is_err(), "it did its work");
}

/// Not a test of its own: what is done with few open files.
#[test]
fn child() {
    let Some(place) = std::env::var_os(PLACE) else { return };
    let session = Repository::open(Path::new(&place)).unwrap().get("job").unwrap();
    assert_eq!(session.load().unwrap().data, data(REVISIONS));
    assert_eq!(session.load_revision(Revision::from_number(1)).unwrap().data, data(1));
    assert_eq!(session.history().unwrap().revisions.len() as u64, REVISIONS);
    assert!(!session.verify().unwrap().is_damaged());
    let mut writer = session.writer().unwrap();
    for number in 1..4 {
        let options = SaveOptions::new().keep(Retention::All);
        assert_eq!(
            writer.save_with(&data(0), &options).unwrap().revision.number(),
            Some(REVISIONS + number)
        );
    }
    drop(writer);
    session.prune(&PruneOptions::new().keep(2)).unwrap();
    assert_eq!(session.history().unwrap().revisions.len(), 2);
    session.remove().unwrap();
}

/// A snapshot as `cp -al` makes it.
fn snapshot(session: &Session, name: &str) {
    let from = session.location().unwrap();
    let to = from.with_file_name(name);
    fs::create_dir(&to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::hard_link(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[test]
fn a_snapshot_of_hard_links_stays_as_it_was() {
    let scratch = tempfile::tempdir().unwrap();
    let repository = Repository::open(scratch.path()).unwrap();
    let session = create(&repository, "job");
    for number in 1..=3 {
        session.save(&data(number)).unwrap();
    }
    snapshot(&session, "snapshot.session");
    let taken = repository.get("snapshot").unwrap();
    for number in 4..40 {
        session.save(&data(number)).unwrap();
    }
    assert_eq!(session.load().unwrap().data, data(39));
    assert_eq!(taken.load().unwrap().data, data(3));
    assert_eq!(taken.history().unwrap().revisions.len(), 3);
    // Nor does what is saved in the snapshot come to the session.
    taken.save(b"another way").unwrap();
    assert_eq!(taken.load().unwrap().data, b"another way");
    assert_eq!(session.load().unwrap().data, data(39));
    assert!(!session.verify().unwrap().is_damaged() && !taken.verify().unwrap().is_damaged());
}

#[test]
fn nothing_is_given_up_in_a_file_with_a_second_name() {
    let scratch = tempfile::tempdir().unwrap();
    let repository = Repository::open(scratch.path()).unwrap();
    let session = create(&repository, "job");
    for number in 1..=3 {
        session.save(&data(number)).unwrap();
    }
    snapshot(&session, "snapshot.session");
    let keep_one = PruneOptions::new().keep(1);
    let refused = session.prune(&keep_one).unwrap_err();
    assert!(matches!(refused, Error::Storage { .. }), "{refused:?}");
    assert_eq!(session.history().unwrap().revisions.len(), 3);
    session.save(&data(4)).unwrap();
    session.prune(&keep_one).unwrap();
    assert_eq!(session.history().unwrap().revisions.len(), 1);
    assert_eq!(repository.get("snapshot").unwrap().history().unwrap().revisions.len(), 3);
}
