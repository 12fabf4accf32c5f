//! Many threads at once.

use std::sync::Barrier;
use std::thread;

use super::{Subject, create};
use crate::{Error, SaveOptions, SessionId};

const RIVALS: usize = 8;

/// All rounds at once: where a store makes rivals wait for each other, those of one round wait, and no others.
pub(super) fn one_creator_succeeds(repository: &Subject) {
    const ROUNDS: usize = 10;
    let start = Barrier::new(ROUNDS * RIVALS);
    let round = |n: usize| {
        let options = repository.options().id(SessionId::new(format!("round-{n}")).unwrap());
        let rival = || {
            start.wait();
            match repository.create(&options) {
                Ok(_) => 1,
                Err(Error::AlreadyExists { .. }) => 0,
                Err(error) => panic!("{error:?}"),
            }
        };
        thread::scope(|scope| {
            let rivals: Vec<_> = (0..RIVALS).map(|_| scope.spawn(rival)).collect();
            rivals.into_iter().map(|rival| rival.join().unwrap()).sum::<usize>()
        })
    };
    thread::scope(|scope| {
        let rounds: Vec<_> = (0..ROUNDS)
            .map(|n| {
                let round = &round;
                scope.spawn(move || round(n))
            })
            .collect();
        rounds.into_iter().for_each(|round| assert_eq!(round.join().unwrap(), 1));
    });
}

/// The ten-line race test of a store with conditional updates: every rival counts one up, again and
/// again, and in the end nothing is missing.
pub(super) fn no_update_is_lost(repository: &Subject) {
    const EACH: u64 = 20;
    let session = create(repository, "counter");
    session.save(b"0").unwrap();
    let start = Barrier::new(RIVALS);
    let count_up = || {
        let mut done = 0;
        while done < EACH {
            let now = session.load().unwrap();
            let count: u64 = std::str::from_utf8(&now.data).unwrap().parse().unwrap();
            let follows = SaveOptions::new().follows(now.info.revision);
            match session.save_with((count + 1).to_string().as_bytes(), &follows) {
                Ok(_) => done += 1,
                Err(Error::Conflict { .. } | Error::Busy { .. }) => thread::yield_now(),
                Err(error) => panic!("{error:?}"),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..RIVALS {
            scope.spawn(|| {
                start.wait();
                count_up();
            });
        }
    });
    assert_eq!(session.load().unwrap().data, (RIVALS as u64 * EACH).to_string().as_bytes());
}
