//! Pitstop and PlainBox save in the same session at the same time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pitstop::{Error, Session};
use serde_json::json;

use super::{names_in, shared};

const SAVES: u32 = 300;

/// As `payload` in peer.py: who wrote it, which save it was, and a pattern that shows a tear.
fn payload(writer: &str, number: u32) -> Vec<u8> {
    let pattern = format!("{writer} {number};");
    let body = pattern.repeat(1 + (number as usize * 37) % 400);
    let sum: u64 = body.bytes().map(u64::from).sum();
    format!("{} {sum} {pattern}\n{body}", body.len()).into_bytes()
}

#[track_caller]
fn assert_whole(data: &[u8]) {
    let text = std::str::from_utf8(data).unwrap();
    let (writer, number) = text
        .split_once('\n')
        .and_then(|(head, _)| head.splitn(3, ' ').nth(2))
        .and_then(|pattern| pattern.strip_suffix(';')?.split_once(' '))
        .unwrap_or_else(|| panic!("no header in {} bytes", data.len()));
    let whole = payload(writer, number.parse().unwrap());
    assert!(data == whole, "{} of {} bytes", data.len(), whole.len());
}

/// Saves, and returns how often it was locked out by PlainBox. Nothing else may happen.
fn save_all(session: &Session) -> u32 {
    let mut locked = 0;
    for number in 0..SAVES {
        // One after the other takes the writer's place anew, and keeps it for some saves.
        while let Err(error) = session.save(&payload("pitstop", number)) {
            assert!(matches!(error, Error::Locked { .. }), "{error:?}");
            locked += 1;
            thread::yield_now();
        }
    }
    locked
}

fn compete(polite: bool) -> Option<BTreeMap<String, u32>> {
    let (_scratch, repository, mut plainbox) = shared()?;
    let session = repository.get_or_create("job").unwrap();
    session.save(&payload("pitstop", 0)).unwrap();
    let location = session.location().unwrap();
    let done = AtomicBool::new(false);
    let answer = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert_whole(&session.load().unwrap().data);
                assert_eq!(repository.list().unwrap().sessions.len(), 1);
            }
        });
        let saver = scope.spawn(|| save_all(&session));
        let call = json!({
            "do": "compete", "location": location, "saves": SAVES, "polite": polite,
        });
        let answer = plainbox.call(call);
        let saved = saver.join();
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        saved.unwrap();
        answer
    });
    // Nothing is stuck, for either.
    session.save(&payload("pitstop", SAVES)).unwrap();
    assert_whole(&plainbox.load(&location));
    plainbox.save(&location, b"the end");
    assert_eq!(session.load().unwrap().data, b"the end");
    let mut names = names_in(&location);
    names.retain(|name| !name.starts_with("session.aside-"));
    assert_eq!(names, ["session", "session.writer"]);
    Some(serde_json::from_value(answer["ok"].clone()).unwrap())
}

#[test]
fn a_plainbox_that_waits_for_the_lock_loses_no_save() {
    let Some(errors) = compete(true) else { return };
    let known = errors.keys().all(|kind| kind == "LockedStorageError");
    assert!(known, "{errors:?}");
}

/// Its manager breaks every lock that it finds, so that its own saves may fail; a reader sees none of it.
#[test]
fn a_plainbox_that_breaks_locks_tears_nothing() {
    let Some(errors) = compete(false) else { return };
    let known = ["LockedStorageError", "FileNotFoundError"];
    assert!(errors.keys().all(|kind| known.contains(&kind.as_str())), "{errors:?}");
}
