//! Damage: what is damaged is named, a verification sees it, a repair or a removal gets out of it, and it is in
//! nobody else's way.

use super::{Capabilities, assert_error};
use crate::{CreateOptions, Error, PruneOptions, Repository, Session, SessionId, Verification};

/// A repository that can be damaged behind its back.
pub trait Damageable {
    /// Opens it.
    fn repository(&self) -> Repository;

    /// Damages this part of a session, or of the repository. Returns whether there is such a part.
    fn damage(&self, part: Part, id: &SessionId) -> bool;
}

/// What is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The payload of the newest checkpoint: [`NEWEST`].
    Newest,
    /// What says what the session is and keeps.
    Session,
    /// The note of the last session.
    Last,
}

/// What the newest checkpoint has as its payload: so long that every backend keeps it by itself.
pub static NEWEST: [u8; 100_000] = [0xa7; 100_000];

/// What the one before has.
const OLDER: [u8; 3000] = [0x5c; 3000];

/// Damages each part of a new repository, and looks whether the backend gets along with that.
///
/// # Panics
/// If it does not.
pub fn check_damage<D: Damageable>(capabilities: Capabilities, empty: impl Fn() -> D) {
    for part in [Part::Newest, Part::Session, Part::Last] {
        eprintln!("conformance: damage to {part:?}");
        damage(capabilities, &empty(), part);
    }
}

fn damage(capabilities: Capabilities, place: &impl Damageable, part: Part) {
    let repository = place.repository();
    let create = |id: &str| {
        let options = CreateOptions::new().format(capabilities.format);
        repository.create(&options.id(SessionId::new(id).unwrap())).unwrap()
    };
    let (job, other) = (create("job"), create("other"));
    job.save(&OLDER).unwrap();
    job.save(&NEWEST).unwrap();
    other.save(b"other").unwrap();
    create("gone").save(b"gone").unwrap();
    repository.get("gone").unwrap().trash().unwrap();
    job.make_last().unwrap();
    if !place.damage(part, job.id()) {
        return;
    }
    // As a process sees it that comes later.
    let repository = place.repository();
    let job = repository.session(job.id().clone());
    match part {
        Part::Last => assert_error!(repository.last(), Error::Corrupt { .. }),
        _ => assert_error!(job.load().map(|it| it.info), Error::Corrupt { .. }),
    }
    assert!(repository.verify().unwrap().is_damaged(), "{part:?} is not seen");
    assert_eq!(is_damaged(job.verify()), part != Part::Last);
    others_are_not_hindered(&repository, part);
    match part {
        Part::Last => {
            repository.repair_last().unwrap();
            repository.last().unwrap();
            assert_eq!(job.load().unwrap().data, NEWEST);
        }
        _ => gets_out(&repository, &job, capabilities),
    }
    job.make_last().unwrap();
    assert_eq!(repository.last().unwrap().unwrap().id(), job.id());
    job.remove().unwrap();
    let left = repository.verify().unwrap();
    assert!(!left.is_damaged(), "{part:?}: {left:?}");
}

fn is_damaged(found: crate::Result<Verification>) -> bool {
    match found {
        Ok(found) => found.is_damaged(),
        Err(Error::Corrupt { .. }) => true,
        Err(error) => panic!("{error:?}"),
    }
}

fn others_are_not_hindered(repository: &Repository, part: Part) {
    let other = repository.get("other").unwrap();
    assert_eq!(other.load().unwrap().data, b"other");
    other.save(b"other").unwrap();
    let listing = repository.list().unwrap();
    assert!(listing.sessions.iter().any(|it| it.id == *other.id()), "{listing:?}");
    assert!(part == Part::Session || listing.problems.is_empty(), "{listing:?}");
    let trash = repository.trash().unwrap();
    let [gone] = &trash[..] else { panic!("one is in the trash: {trash:?}") };
    let back = repository.restore_from_trash(gone, &gone.id).unwrap();
    assert_eq!(back.load().unwrap().data, b"gone");
    assert!(repository.sweep(false).unwrap().remains.is_empty());
    let keep = repository.list().unwrap().sessions.len();
    let pruned = repository.prune(&PruneOptions::new().keep(keep)).unwrap();
    assert!(pruned.gone.is_empty(), "{pruned:?}");
}

/// By a repair, if something good is left; and else by a removal and a new beginning.
fn gets_out(repository: &Repository, job: &Session, capabilities: Capabilities) {
    job.repair().unwrap();
    match job.load() {
        Ok(loaded) => assert!([&OLDER[..], &NEWEST[..]].contains(&&loaded.data[..])),
        Err(_) => {
            match job.remove() {
                Ok(removal) => assert!(removal.remains.is_empty(), "{removal:?}"),
                // The repair moved all of it aside.
                Err(Error::NotFound { .. }) => (),
                Err(error) => panic!("{error:?}"),
            }
            let options = CreateOptions::new().id(job.id().clone());
            repository.create(&options.format(capabilities.format)).unwrap();
        }
    }
    job.save(b"goes on").unwrap();
    assert_eq!(job.load().unwrap().data, b"goes on");
}
