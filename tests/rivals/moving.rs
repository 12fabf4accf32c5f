//! Sessions that are put elsewhere or cleared away while others save: what comes out was there whole at
//! some moment, and nothing that lives or was kept is lost.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use nix::sys::signal::{Signal, kill};
use pitstop::{CopyOptions, Error, Format, PruneOptions, Repository, Session, SessionId, Trashed};

use super::{
    Random, Rival, StopAtEnd, ids, named, next_told, open, place, race, seed, sorted, tell,
};

/// A state that says which it is, so that one that is torn or mixed is seen.
fn state(number: u64) -> Vec<u8> {
    let filling = (0..100 + number * 379 % 9000).map(|at| (at * number) as u8);
    number.to_le_bytes().into_iter().chain(filling).collect()
}

#[track_caller]
fn number(state_of: &[u8]) -> u64 {
    let number = u64::from_le_bytes(state_of[..8].try_into().unwrap());
    assert!(state_of == state(number), "a torn state");
    number
}

/// Goes on from the newest state for so many steps, as the writer or with one save after the other.
pub(super) fn go_on(repository: &Repository, steps: u64) {
    let session = repository.get("job").unwrap();
    let mut now = number(&session.load().unwrap().data);
    let mut writer = None;
    for step in 0..steps {
        let data = state(now + 1);
        let saved = match &mut writer {
            Some(writer) => pitstop::Writer::save(writer, &data),
            None => session.save(&data),
        };
        match saved {
            Ok(_) => now += 1,
            Err(Error::Busy { .. }) => thread::yield_now(),
            Err(error) => panic!("{error:?}"),
        }
        tell(&now.to_string());
        if step % 7 == 0 {
            writer = session.writer().ok();
        } else if step % 7 == 3 {
            writer = None;
        }
    }
}

/// Lets a writer go on while these are done again and again, and kills it now and then. Each gives the
/// newest state that it saw, which must not be behind what was told before.
fn beside_a_writer(format: Format, meanwhile: &[&(dyn Fn(&Session) -> u64 + Sync)]) {
    const STATES: u64 = 150;
    let mut random = Random(seed());
    let (scratch, repository) = place(format);
    let session = repository.get_or_create("job").unwrap();
    session.save(&state(0)).unwrap();
    let (told, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        let stop_at_end = StopAtEnd(&stop);
        let rounds: Vec<_> = meanwhile
            .iter()
            .map(|it| {
                let (session, told, stop) = (&session, &told, &stop);
                scope.spawn(move || {
                    let mut rounds = 0;
                    while !stop.load(Ordering::SeqCst) {
                        let before = told.load(Ordering::SeqCst);
                        let seen = it(session);
                        assert!(seen >= before, "{seen} was seen after {before}");
                        rounds += 1;
                    }
                    rounds
                })
            })
            .collect();
        while told.load(Ordering::SeqCst) < STATES {
            let steps = 20 + random.below(60);
            let mut rival = Rival::start("go on 1000", scratch.path());
            for _ in 0..steps {
                let now = next_told(rival.answers.as_mut().unwrap()).unwrap();
                told.fetch_max(now.parse().unwrap(), Ordering::SeqCst);
            }
            kill(rival.pid(), Signal::SIGKILL).unwrap();
            rival.child.wait().unwrap();
        }
        drop(stop_at_end);
        for rounds in rounds {
            let rounds: u64 = rounds.join().unwrap();
            eprintln!("{rounds} rounds beside {} states", told.load(Ordering::SeqCst));
            assert!(rounds > 0);
        }
    });
    let newest = number(&session.load().unwrap().data);
    assert!(newest >= told.load(Ordering::SeqCst));
    session.save(&state(newest + 1)).unwrap();
}

/// That all its revisions are whole, and follow each other. Gives the newest state.
fn newest_of_all(session: &Session) -> u64 {
    let newest = number(&session.load().unwrap().data);
    let history = match session.history() {
        Err(Error::Unsupported { .. }) => return newest,
        history => history.unwrap(),
    };
    assert!(history.damaged.is_empty(), "{:?}", history.damaged);
    let load = |revision| number(&session.load_revision(revision).unwrap().data);
    let numbers: Vec<u64> = history.revisions.iter().map(|it| load(it.info.revision)).collect();
    assert_eq!(numbers[0], newest);
    assert!(numbers.is_sorted_by(|a, b| a > b), "{numbers:?}");
    newest
}

fn what_is_exported_and_copied_was_there_at_some_moment(format: Format) {
    let elsewhere = tempfile::tempdir().unwrap();
    let repository = |name: &str| Repository::open(elsewhere.path().join(name)).unwrap();
    let export = |session: &Session| {
        let mut archive = Vec::new();
        session.export(&mut archive, |_| ()).unwrap();
        let imported = repository("imported").import(&archive[..], CopyOptions::new()).unwrap();
        let newest = newest_of_all(&imported.session);
        imported.session.remove().unwrap();
        newest
    };
    let copy = |session: &Session| {
        let copies = repository("copied");
        let copied = session.copy_to(&copies, CopyOptions::new()).unwrap();
        let newest = newest_of_all(&copied.session);
        copied.session.remove().unwrap();
        newest
    };
    beside_a_writer(format, &[&export, &copy]);
}

/// Whoever wants to change it gets its turn, or is told that there is a writer.
fn conversions_and_prunes_lose_nothing_beside_a_writer(format: Format) {
    let newest = |session: &Session| number(&session.load().unwrap().data);
    let prune = |session: &Session| {
        match session.prune(&PruneOptions::new().keep(2)) {
            Ok(_) | Err(Error::Busy { .. }) => (),
            Err(error) => panic!("{error:?}"),
        }
        newest(session)
    };
    let convert = |session: &Session| {
        for to in [Format::Plain, Format::Journal] {
            match session.convert(to, true) {
                Ok(()) | Err(Error::Busy { .. }) => (),
                Err(error) => panic!("{error:?}"),
            }
        }
        newest(session)
    };
    beside_a_writer(format, &[&prune, &convert]);
}

/// Makes sessions, and saves in each twice. Tells which got that far before they were pruned.
pub(super) fn make(repository: &Repository, sessions: u64) {
    for n in 0..sessions {
        let id = format!("made-{n}");
        match repository.create(&named(&id)).and_then(|session| session.writer()) {
            Ok(mut writer) => {
                // From now on it lives, and nobody may take it away.
                writer.save(b"one").unwrap();
                writer.save(id.as_bytes()).unwrap();
                drop(writer);
                tell(&id);
            }
            Err(Error::NotFound { .. }) => (),
            // A pruner looks whether anybody else writes it.
            Err(Error::Busy { .. }) => (),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn prune_all_the_while(place: &Path, stop: &AtomicBool) -> u64 {
    let mut gone = 0;
    while !stop.load(Ordering::SeqCst) {
        let pruned = open(place).prune(&PruneOptions::new().keep(0)).unwrap();
        assert!(pruned.problems.is_empty(), "{:?}", pruned.problems);
        assert!(pruned.gone.iter().all(|it| it.summary.id.as_str() != "held"));
        gone += pruned.gone.len() as u64;
    }
    gone
}

fn two_pruners_take_each_session_once_and_none_that_lives(format: Format) {
    let (scratch, repository) = place(format);
    let held = repository.get_or_create("held").unwrap();
    let mut writer = held.writer().unwrap();
    writer.save(b"held").unwrap();
    let stop = AtomicBool::new(false);
    let mut made = HashSet::new();
    let gone = thread::scope(|scope| {
        let stop_at_end = StopAtEnd(&stop);
        let pruners: Vec<_> =
            (0..2).map(|_| scope.spawn(|| prune_all_the_while(scratch.path(), &stop))).collect();
        let mut maker = Rival::start("make 80", scratch.path());
        while let Some(id) = next_told(maker.answers.as_mut().unwrap()) {
            made.insert(id);
        }
        maker.end();
        drop(stop_at_end);
        pruners.into_iter().map(|it| it.join().unwrap()).sum::<u64>()
    });
    let last = repository.prune(&PruneOptions::new().keep(0)).unwrap();
    let trash = repository.trash().unwrap();
    eprintln!("{gone} went while {} were made", made.len());
    assert_eq!(trash.len() as u64, gone + last.gone.len() as u64, "each went once");
    assert_eq!(ids(&repository), HashSet::from(["held".to_owned()]));
    for id in &made {
        // What was there before it was made may be in the trash as well.
        let is_it = |it: &&Trashed| {
            it.id.as_str() == id && it.summary.as_ref().is_some_and(|it| it.saved.is_some())
        };
        let mut found = trash.iter().filter(is_it);
        let (Some(trashed), None) = (found.next(), found.next()) else {
            panic!("{id} is not in the trash once");
        };
        repository.restore_from_trash(trashed, &trashed.id).unwrap();
        assert_eq!(repository.get(id).unwrap().load().unwrap().data, id.as_bytes());
    }
    writer.save(b"lives").unwrap();
    assert_eq!(held.load().unwrap().data, b"lives");
}

/// Of two that want the same session, or the same name, one succeeds, and what it was is kept.
fn of_two_that_use_the_trash_one_succeeds(format: Format) {
    let (scratch, repository) = place(format);
    let mut rivals = [(); 2].map(|()| Rival::start("obey", scratch.path()));
    let is_in_trash = || repository.trash().unwrap().iter().any(|it| it.id.as_str() == "job");
    let put_back = || {
        let trashed = repository.trash().unwrap().pop().unwrap();
        repository.restore_from_trash(&trashed, &SessionId::new("job").unwrap()).unwrap()
    };
    for round in 0..40 {
        let data = format!("state {round}");
        let session = repository.create(&named("job")).unwrap();
        session.save(data.as_bytes()).unwrap();
        let is_there = || repository.get("job").is_ok_and(|it| it.load().is_ok());

        let [trashed, removed] = race(&mut rivals, ["trash job", "remove job"]);
        assert!((trashed == "Ok") != (removed == "Ok"), "{trashed}, {removed}");
        assert!(!is_there() && is_in_trash() == (trashed == "Ok"));
        if trashed != "Ok" {
            repository.create(&named("job")).unwrap().save(data.as_bytes()).unwrap();
            repository.get("job").unwrap().trash().unwrap();
        }

        let [back, created] = race(&mut rivals, ["put_back job", "create job"]);
        assert_eq!(sorted([back.clone(), created]), ["AlreadyExists", "Ok"]);
        if back != "Ok" {
            assert!(is_in_trash());
            repository.get("job").unwrap().remove().unwrap();
            put_back();
        }
        assert_eq!(repository.get("job").unwrap().load().unwrap().data, data.as_bytes());

        repository.get("job").unwrap().trash().unwrap();
        let [other, done] = sorted(race(&mut rivals, ["put_back job", "put_back job"]));
        assert!(
            ["AlreadyExists", "NotFound"].contains(&&*other) && done == "Ok",
            "{other}, {done}"
        );
        assert_eq!(repository.get("job").unwrap().load().unwrap().data, data.as_bytes());

        repository.get("job").unwrap().trash().unwrap();
        let [back, emptied] = race(&mut rivals, ["put_back job", "empty_trash job"]);
        assert_eq!(sorted([back.clone(), emptied]), ["NotFound", "Ok"]);
        assert!(!is_in_trash() && is_there() == (back == "Ok"));
        if back == "Ok" {
            repository.get("job").unwrap().remove().unwrap();
        }
    }
    rivals.into_iter().for_each(Rival::end);
}

on_both_formats!(
    what_is_exported_and_copied_was_there_at_some_moment,
    conversions_and_prunes_lose_nothing_beside_a_writer,
    two_pruners_take_each_session_once_and_none_that_lives,
    of_two_that_use_the_trash_one_succeeds,
);
