//! What root saves in another user's session stays that user's.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;

use pitstop::{CreateOptions, Format, Repository, Session, SessionId};

use crate::traced;

const USER: u32 = 65534;

fn create(place: &Path, name: &str, format: Format) -> Session {
    let options = CreateOptions::new().id(SessionId::new(name).unwrap()).format(format);
    Repository::open(place.join("sessions")).unwrap().create(&options).unwrap()
}

/// Not a test of its own: what a user does with sessions of its own, before and after root.
#[test]
fn child() {
    let Some((task, place)) = traced::task() else { return };
    let place = Path::new(&place);
    for (name, format) in [("plain", Format::Plain), ("journal", Format::Journal)] {
        if task == "before" {
            create(place, name, format).save(b"user").unwrap();
            continue;
        }
        let session = Repository::open(place.join("sessions")).unwrap().get(name).unwrap();
        assert_eq!(session.load().unwrap().data, vec![7; 9 << 20]);
        session.save(b"user again").unwrap();
        assert!(!session.repair().unwrap().now.is_damaged());
        session.convert(Format::Plain, true).unwrap();
        assert!(session.remove().unwrap().remains.is_empty());
    }
}

fn as_user(task: &str, place: &Path) {
    let status = traced::command("owners::child", task, place).uid(USER).status().unwrap();
    assert!(status.success(), "{task}");
}

#[test]
fn what_root_saves_is_the_users() {
    let scratch = tempfile::tempdir_in("/tmp").unwrap();
    let place = scratch.path();
    if chown(place, Some(USER), None).is_err() || !is_reachable() {
        return eprintln!(
            "not tested: only root can give a file away, and the user has to get here"
        );
    }
    as_user("before", place);
    let repository = Repository::open(place.join("sessions")).unwrap();
    for name in ["plain", "journal"] {
        let session = repository.get(name).unwrap();
        session.save(b"root").unwrap();
        session.save_from(vec![7; 9 << 20].as_slice(), &Default::default()).unwrap();
        for entry in fs::read_dir(session.location().unwrap()).unwrap() {
            let entry = entry.unwrap();
            assert_eq!(entry.metadata().unwrap().uid(), USER, "{}", entry.path().display());
        }
    }
    as_user("after", place);
}

/// Whether the user may run this very program.
fn is_reachable() -> bool {
    let program = std::env::current_exe().unwrap();
    program.ancestors().all(|it| fs::metadata(it).unwrap().mode() & 0o005 == 0o005)
}
