//! What the program does whose power is cut on a real file system; see real-kernels.sh.

use std::fs;
use std::path::Path;

use pitstop::Repository;

use crate::traced;

/// Not a test of its own: real-kernels.sh runs it.
#[test]
fn child() {
    let Some((task, place)) = traced::task() else { return };
    let words: Vec<&str> = task.split(' ').collect();
    match words[..] {
        ["save", saves] => save(Path::new(&place), saves.parse().unwrap()),
        ["careless", saves] => save_carelessly(Path::new(&place), saves.parse().unwrap()),
        ["check", ref acknowledged @ ..] => check(Path::new(&place), acknowledged),
        _ => panic!("no task {task}"),
    }
}

/// Its number and as many bytes as the number says, so that a part of it is seen.
fn payload(number: u64) -> Vec<u8> {
    let length = (number * 7919 % 30_000) as usize;
    let mut bytes = format!("{number}\n").into_bytes();
    bytes.resize(bytes.len() + length, number as u8);
    bytes
}

fn number(payload_of_it: &[u8]) -> Option<u64> {
    let end = payload_of_it.iter().position(|&byte| byte == b'\n')?;
    let number = std::str::from_utf8(&payload_of_it[..end]).ok()?.parse().ok()?;
    (payload(number) == payload_of_it).then_some(number)
}

/// A few sessions, each made anew from time to time under another name, and saved again and again.
fn save(place: &Path, saves: u64) {
    let repository = Repository::open(place.join("deep/sessions")).unwrap();
    for n in 1..=saves {
        let session = repository.get_or_create(format!("job-{}-{}", n / 40, n % 2)).unwrap();
        session.save(&payload(n)).unwrap();
        eprintln!("@{}={n}", session.id());
        if n % 10 == 0 {
            session.make_last().unwrap();
            eprintln!("@last={n}");
        }
    }
}

/// What Pitstop must not do, to see that the judge sees it: no flush.
fn save_carelessly(place: &Path, saves: u64) {
    let session = Repository::open(place.join("deep/sessions")).unwrap();
    let session = session.get_or_create("job").unwrap();
    let (file, new) = (session.session_file().unwrap(), session.session_file().unwrap());
    for n in 1..=saves {
        fs::write(new.with_extension("careless"), payload(n)).unwrap();
        fs::rename(new.with_extension("careless"), &file).unwrap();
        eprintln!("@job={n}");
    }
}

/// What was acknowledged before the cut is there, or something later, and all goes on.
fn check(place: &Path, acknowledged: &[&str]) {
    let repository = Repository::open(place.join("deep/sessions")).unwrap();
    for entry in acknowledged {
        let (id, least) = entry.split_once('=').unwrap();
        if id == "last" {
            assert!(repository.last().unwrap().is_some(), "the last session is lost");
            continue;
        }
        let data = repository.get(id).unwrap().load().unwrap().data;
        let found = number(&data).expect("part of a checkpoint");
        assert!(found >= least.parse().unwrap(), "{id}: {found} stands, {least} was acknowledged");
    }
    let listing = repository.list().unwrap();
    assert!(listing.problems.is_empty(), "{:?}", listing.problems);
    for summary in listing.sessions {
        let session = repository.get(&summary.id).unwrap();
        assert!(!summary.live);
        if summary.saved.is_some() {
            assert!(number(&session.load().unwrap().data).is_some(), "part of a checkpoint");
        }
        session.save(b"goes on").unwrap();
        assert_eq!(session.load().unwrap().data, b"goes on");
    }
}
