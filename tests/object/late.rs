//! Requests that come again when they are late, and responses that are lost while others go on.

use std::sync::Arc;
use std::time::Duration;

use pitstop::{Error, PruneOptions, Repository, Result, SaveOptions};

use super::endings::{BEGINNINGS, STEPS, assert_all_is_well, do_it, id, repository};
use super::faulty::{Fault, Faulty};
use super::{LARGE, named};

/// Each request of each step that changes something comes once more, when others have gone on. It is then as if it had
/// not come.
#[test]
fn a_request_that_comes_again_late_changes_nothing() {
    let meanwhile: [&[&str]; 6] =
        [&[], &["save"], &["anew", "sweep"], &["elsewhere"], &["restore"], &["remove", "save"]];
    let mut runs = 0;
    for (beginning, _) in BEGINNINGS {
        for step in STEPS {
            for others in meanwhile {
                for then in [None, Some("empty")] {
                    let run = |copied: Option<usize>| {
                        let store = Arc::new(Faulty::new());
                        beginning.iter().for_each(|it| do_it(&repository(&store), it).unwrap());
                        store.copy_request(copied.unwrap_or(usize::MAX));
                        let _ = do_it(&repository(&store), step);
                        let is_over = copied.is_none_or(|at| !store.was_reached(at));
                        store.copy_request(usize::MAX);
                        for other in others {
                            // Some of it cannot be, as things are.
                            let _ = do_it(&repository(&store), other);
                        }
                        store.deliver_copy();
                        then.iter().for_each(|it| do_it(&repository(&store), it).unwrap());
                        let what = format!(
                            "{beginning:?}, {step}, {others:?}, {then:?}, copy of {copied:?}"
                        );
                        (assert_all_is_well(&store, &what), is_over, what)
                    };
                    let (expected, ..) = run(None);
                    for at in 0.. {
                        let (whole, is_over, what) = run(Some(at));
                        assert_eq!(whole, expected, "{what}");
                        runs += 1;
                        if is_over {
                            break;
                        }
                    }
                }
            }
        }
    }
    assert!(runs > 500, "{runs}");
}

/// An operation, whose response is lost while somebody else does something.
struct Case {
    what: &'static str,
    name: &'static str,
    operation: fn(&Repository) -> Result<()>,
    meanwhile: fn(&Repository),
    /// Whether the one head came of the other by the operation.
    is_effect: fn(&[u8], &[u8]) -> bool,
}

fn is_session(head: &[u8]) -> bool {
    head.starts_with(b"PITSHEAD")
}

/// Whether the newest checkpoint in it has this label.
fn newest_is_mine(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let newest = text.split("\"revision\":").nth(1);
    newest.is_some_and(|it| it.contains("\"mine\""))
}

fn mine() -> SaveOptions {
    SaveOptions::new().label("mine", "")
}

const CASES: [Case; 8] = [
    Case {
        what: "a save whose entry was pruned",
        name: "job",
        operation: |all| all.get("job")?.save_with(b"mine", &mine()).map(drop),
        meanwhile: |all| {
            let job = all.get("job").unwrap();
            (0..3).for_each(|_| drop(job.save(b"other").unwrap()));
            job.prune(&PruneOptions::new().keep(1)).unwrap();
        },
        is_effect: |before, now| !newest_is_mine(before) && newest_is_mine(now),
    },
    Case {
        what: "a long save, packed since",
        name: "job",
        operation: |all| all.get("job")?.save_with(&[7; LARGE], &mine()).map(drop),
        meanwhile: |all| {
            let keep = SaveOptions::new().keep(pitstop::Retention::All);
            let job = all.get("job").unwrap();
            (0..63).for_each(|_| drop(job.save_with(b"other", &keep).unwrap()));
        },
        is_effect: |before, now| !newest_is_mine(before) && newest_is_mine(now),
    },
    Case {
        what: "a save before more than are remembered",
        name: "job",
        operation: |all| all.get("job")?.save_with(&[7; LARGE], &mine()).map(drop),
        meanwhile: |all| {
            let job = all.get("job").unwrap();
            (0..260).for_each(|_| drop(job.save(b"other").unwrap()));
        },
        is_effect: |before, now| !newest_is_mine(before) && newest_is_mine(now),
    },
    Case {
        what: "a save of a session that was removed and made anew",
        name: "job",
        operation: |all| all.get("job")?.save_with(b"mine", &mine()).map(drop),
        meanwhile: |all| {
            all.get("job").unwrap().remove().unwrap();
            all.create(&named("job")).unwrap();
        },
        is_effect: |before, now| !newest_is_mine(before) && newest_is_mine(now),
    },
    Case {
        what: "a removal, and it was made anew",
        name: "job",
        operation: |all| all.get("job")?.remove().map(drop),
        meanwhile: |all| drop(all.create(&named("job"))),
        is_effect: |before, now| is_session(before) && !is_session(now),
    },
    Case {
        what: "a creation, and it was removed",
        name: "anew",
        operation: |all| all.create(&named("anew")).map(drop),
        meanwhile: |all| drop(all.get("anew").map(|it| it.remove())),
        is_effect: |before, now| !is_session(before) && is_session(now),
    },
    Case {
        what: "into the trash, and it was put back",
        name: "job",
        operation: |all| all.get("job")?.trash().map(drop),
        meanwhile: |all| {
            for it in all.trash().unwrap() {
                all.restore_from_trash(&it, &it.id).unwrap();
            }
        },
        is_effect: |before, now| is_session(before) && !is_session(now),
    },
    Case {
        what: "out of the trash, and it was removed",
        name: "back",
        operation: |all| {
            let there = all.trash()?.remove(0);
            all.restore_from_trash(&there, &id("back")).map(drop)
        },
        meanwhile: |all| drop(all.get("back").map(|it| it.remove())),
        is_effect: |before, now| !is_session(before) && is_session(now),
    },
];

/// The response to each request is lost, and others go on before it is asked what became of it: what is told took
/// effect once, or never, as it is told.
#[test]
fn an_operation_whose_response_is_lost_takes_effect_once() {
    let (mut runs, mut unknown) = (0, 0);
    for Case { what, name, operation, meanwhile, is_effect } in CASES {
        for at in 0.. {
            let store = Arc::new(Faulty::new());
            let backend = super::backend_with(store.clone(), Duration::from_millis(100));
            let slow = Repository::with_backend(backend);
            let others = super::repository(store.clone());
            for name in ["job", "gone"] {
                others.create(&named(name)).unwrap().save(b"before").unwrap();
            }
            others.get("gone").unwrap().trash().unwrap();
            let before = store.heads_of(name).len();
            store.plan(Some((at, Fault::LostSuccess)));
            let (outcome, has_slept) =
                store.while_asleep(at + 1, || operation(&slow), || meanwhile(&others));
            let is_over = !store.was_reached(at);
            let what = format!("{what}, {at}: {outcome:?}");
            let heads = [vec![bytes::Bytes::new()], store.heads_of(name)].concat();
            let pairs = heads[before..].windows(2);
            let times = pairs.filter(|it| is_effect(&it[0], &it[1])).count();
            match &outcome {
                Ok(()) => assert_eq!(times, 1, "{what}"),
                Err(Error::Indeterminate { .. }) => assert!(times <= 1, "{what}"),
                Err(_) => assert_eq!(times, 0, "{what}"),
            }
            // What a head names is there.
            others.verify().unwrap();
            assert!(!others.verify().unwrap().is_damaged(), "{what}");
            unknown += usize::from(matches!(outcome, Err(Error::Indeterminate { .. })));
            runs += usize::from(has_slept);
            if is_over {
                break;
            }
        }
    }
    assert!(runs > 30 && unknown > 0, "{runs} runs, {unknown} outcomes unknown");
}

/// What was made the last session is so once, whoever makes another one so meanwhile.
#[test]
fn who_was_not_told_takes_nothing_back() {
    let store = Arc::new(Faulty::new());
    let all = super::repository(store.clone());
    for name in ["one", "two"] {
        all.create(&named(name)).unwrap();
    }
    all.get("one").unwrap().make_last().unwrap();
    let slow = super::repository(store.clone()).get("one").unwrap();
    let two = all.get("two").unwrap();
    for at in 0.. {
        store.plan(Some((at, Fault::LostSuccess)));
        let (made, has_slept) =
            store.while_asleep(at + 1, || slow.make_last(), || two.make_last().unwrap());
        made.unwrap();
        store.plan(None);
        if !has_slept {
            break;
        }
    }
    // The look at the session, that at the last one, and the put.
    store.plan(Some((2, Fault::LostSuccess)));
    store.while_asleep(3, || slow.make_last().unwrap(), || two.make_last().unwrap());
    store.plan(None);
    assert_eq!(all.last().unwrap().unwrap().id(), two.id());
}

/// Who saves slowly beside others that are fast puts its payload once, however often it has to look at the head again.
#[test]
fn a_slow_saver_puts_its_payload_once() {
    let store = Arc::new(Faulty::new());
    let fast = super::repository(store.clone()).create(&named("job")).unwrap();
    fast.save(b"first").unwrap();
    let slow = super::repository(store.clone()).get("job").unwrap();
    let mut runs = 0;
    for at in 0.. {
        store.take_bytes();
        let mut sent = 0;
        let others = || {
            let before = store.take_bytes();
            (0..5).for_each(|_| drop(fast.save(b"fast").unwrap()));
            store.take_bytes();
            sent = before;
        };
        let (saved, has_slept) = store.while_asleep(at, || slow.save(&[9; 20 * LARGE]), others);
        saved.unwrap();
        sent += store.take_bytes();
        assert!(sent < 21 * LARGE, "{sent} bytes, asleep at {at}");
        runs += 1;
        if !has_slept {
            break;
        }
    }
    assert!(runs > 3);
}

/// The request that put a copy into the trash comes once more when that was emptied; somebody looked at the tombstone before
/// that, and looks at the copy only now: the session does not come back without its records.
#[test]
fn a_copy_that_was_retired_never_comes_back() {
    let mut runs = 0;
    for wakes_to in ["restore", "elsewhere", "save"] {
        for at in 0.. {
            let store = Arc::new(Faulty::new());
            do_it(&repository(&store), "save").unwrap();
            // Those of the first trash: the copy is the fifth of them.
            for copied in 0.. {
                store.copy_request(copied);
                do_it(&repository(&store), "trash").unwrap();
                let is_put = store.was_copied_to("/t/");
                if is_put {
                    break;
                }
                do_it(&repository(&store), "restore").unwrap();
            }
            store.copy_request(usize::MAX);
            let meanwhile = || {
                let _ = do_it(&repository(&store), "empty");
                store.deliver_copy();
            };
            let sleeper = repository(&store);
            let (_, has_slept) = store.while_asleep(at, || do_it(&sleeper, wakes_to), meanwhile);
            assert_all_is_well(&store, &format!("{wakes_to}, asleep at {at}"));
            runs += 1;
            if !has_slept {
                break;
            }
        }
    }
    assert!(runs > 15, "{runs}");
}
