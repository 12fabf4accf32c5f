//! The last session, and taking its place.

use super::{Subject, assert_error, create};
use crate::Error;

pub(super) fn last_is_the_one_made_so(repository: &Subject) {
    let (one, two) = (create(repository, "one"), create(repository, "two"));
    assert!(repository.last().unwrap().is_none());
    for session in [&one, &two, &one, &one] {
        session.make_last().unwrap();
        assert_eq!(repository.last().unwrap().unwrap().id(), session.id());
    }
    two.remove().unwrap();
    assert_eq!(repository.last().unwrap().unwrap().id(), one.id());
    one.remove().unwrap();
    assert!(repository.last().unwrap().is_none());
    create(repository, "one");
    assert_eq!(repository.last().unwrap().unwrap().id(), one.id());
}

pub(super) fn last_is_replaced(repository: &Subject) {
    let old = repository.create(&repository.named("old").replace_last()).unwrap();
    assert_eq!(repository.last().unwrap().unwrap().id(), old.id());
    old.save(b"old state").unwrap();
    let bystander = create(repository, "bystander");
    bystander.save(b"kept").unwrap();
    let new = repository.create(&repository.named("new").replace_last()).unwrap();
    // Until the new one has a checkpoint, the old one is there to be resumed.
    assert_eq!(repository.last().unwrap().unwrap().load().unwrap().data, b"old state");
    // Whoever saves first, through whatever handle, completes it.
    repository.get("new").unwrap().save(b"new state").unwrap();
    assert_eq!(repository.last().unwrap().unwrap().id(), new.id());
    assert_error!(old.load(), Error::NotFound { .. });
    // Only once.
    bystander.make_last().unwrap();
    new.save(b"newer state").unwrap();
    assert_eq!(repository.last().unwrap().unwrap().load().unwrap().data, b"kept");
}

/// The name of the session that was to be replaced may have gone to another one meanwhile.
pub(super) fn only_the_old_one_is_replaced(repository: &Subject) {
    let old = repository.create(&repository.named("old").replace_last()).unwrap();
    old.save(b"old state").unwrap();
    let new = repository.create(&repository.named("new").replace_last()).unwrap();
    let made = new.status().unwrap().created;
    old.remove().unwrap();
    // Clocks go in steps: make it until the next one.
    let newcomer = loop {
        let newcomer = create(repository, "old");
        if newcomer.status().unwrap().created > made {
            break newcomer;
        }
        newcomer.remove().unwrap();
    };
    newcomer.save(b"newcomer").unwrap();
    new.save(b"new state").unwrap();
    assert_eq!(newcomer.load().unwrap().data, b"newcomer");
    assert_eq!(repository.last().unwrap().unwrap().id(), new.id());
}

pub(super) fn busy_is_not_replaced(repository: &Subject) {
    let old = repository.create(&repository.named("old").replace_last()).unwrap();
    let mut running = old.writer().unwrap();
    running.save(b"running").unwrap();
    let new = repository.create(&repository.named("new").replace_last()).unwrap();
    new.save(b"new state").unwrap();
    assert_eq!(repository.last().unwrap().unwrap().id(), new.id());
    running.save(b"still running").unwrap();
    assert_eq!(old.load().unwrap().data, b"still running");
}
