//! Verifying and pruning.

use std::time::Duration;

use super::{Subject, assert_error, change_last_of_all, create, ids};
use crate::{Error, PruneOptions, Pruned, Retention, SaveOptions, Spared};

/// A backend without maintenance says so, and still saves and loads.
pub(super) fn is_refused(repository: &Subject) {
    let session = create(repository, "job");
    session.save(b"state").unwrap();
    assert_error!(session.unlock(), Error::Unsupported { .. });
    assert_error!(session.would_remove(), Error::Unsupported { .. });
    assert_error!(session.trash(), Error::Unsupported { .. });
    assert_error!(repository.trash(), Error::Unsupported { .. });
    assert_error!(repository.sweep(false), Error::Unsupported { .. });
    assert!(!session.verify().unwrap().is_damaged());
    assert!(!repository.verify().unwrap().is_damaged());
    assert_eq!(session.load().unwrap().data, b"state");
}

pub(super) fn sound_is_verified(repository: &Subject) {
    let session = create(repository, "job");
    create(repository, "new");
    let found = session.verify().unwrap();
    assert!(!found.is_damaged() && found.revisions.is_empty() && found.newest_good().is_none());
    let mut writer = session.writer().unwrap();
    let infos = [b"1", b"2", b"3"].map(|data| writer.save(data).unwrap());
    // A live writer is not disturbed, and is no damage.
    let found = session.verify().unwrap();
    assert!(!found.is_damaged() && found.findings.is_empty(), "{found:?}");
    assert_eq!(found.newest_good(), Some(infos[2].revision));
    let count = if repository.capabilities.history { 3 } else { 1 };
    let expected: Vec<_> = infos.iter().rev().take(count).cloned().map(Some).collect();
    assert_eq!(found.revisions.iter().map(|it| it.info.clone()).collect::<Vec<_>>(), expected);
    let all = repository.verify().unwrap();
    assert!(!all.is_damaged() && all.findings.is_empty() && all.problems.is_empty(), "{all:?}");
    let names: Vec<_> = all.sessions.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(names, ["job", "new"]);
    drop(writer);
    let repair = session.repair().unwrap();
    assert!(repair.renewed.is_none() && repair.moved_aside.is_empty(), "{repair:?}");
    assert_eq!(session.load().unwrap().info, infos[2]);
    session.remove().unwrap();
    assert_error!(session.verify(), Error::NotFound { .. });
    assert_error!(session.repair(), Error::NotFound { .. });
}

fn gone(pruned: &Pruned) -> Vec<&str> {
    pruned.gone.iter().map(|it| it.summary.id.as_str()).collect()
}

pub(super) fn prune_by_rules(repository: &Subject) {
    for (n, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let session = create(repository, id);
        let label = SaveOptions::new().label("even", (n % 2 == 0).to_string());
        let data = vec![7; 10_000 * (n + 1)];
        change_last_of_all(repository, || match repository.capabilities.history {
            true => session.save_with(&data, &label).unwrap(),
            false => session.save(&data).unwrap(),
        });
    }
    let dry = |options: PruneOptions| repository.prune(&options.dry_run()).unwrap();
    let new = PruneOptions::new;
    assert!(gone(&dry(new())).is_empty(), "nothing goes without a criterion");
    assert_eq!(gone(&dry(new().keep(1))), ["c", "b", "a"]);
    assert_eq!(gone(&dry(new().keep(9))), [""; 0]);
    assert_eq!(gone(&dry(new().older_than(Duration::ZERO))), ["d", "c", "b", "a"]);
    assert!(gone(&dry(new().older_than(Duration::from_secs(3600)))).is_empty());
    assert!(gone(&dry(new().keep(1).older_than(Duration::from_secs(3600)))).is_empty());
    let taken = |id: &str| repository.get(id).unwrap().would_remove().unwrap().bytes;
    let least = taken("a").min(taken("b"));
    assert_eq!(gone(&dry(new().keep(2).larger_than(least - 1))), ["b", "a"]);
    assert!(gone(&dry(new().larger_than(1 << 40))).is_empty());
    assert_eq!(gone(&dry(new().total(taken("d") + taken("c")))), ["b", "a"]);
    let even = dry(new().label("even", Some("true".to_owned())));
    let labelled = if repository.capabilities.history { vec!["c", "a"] } else { Vec::new() };
    assert_eq!(gone(&even), labelled);
    assert_eq!(ids(repository), ["d", "c", "b", "a"], "a dry run removes nothing");

    let takes = taken("a");
    let pruned = repository.prune(&new().keep(3)).unwrap();
    assert_eq!((gone(&pruned), pruned.usage().bytes), (vec!["a"], takes));
    assert_eq!(ids(repository), ["d", "c", "b"]);
    let trash = repository.trash().unwrap();
    assert_eq!(trash.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["a"]);
    let pruned = repository.prune(&new().keep(2).permanently()).unwrap();
    assert_eq!(gone(&pruned), ["b"]);
    assert_eq!(
        (ids(repository), repository.trash().unwrap().len()),
        (vec!["d".into(), "c".into()], 1)
    );
}

pub(super) fn prune_spares(repository: &Subject) {
    for id in ["last", "live", "idle"] {
        create(repository, id).save(id.as_bytes()).unwrap();
    }
    repository.get("last").unwrap().make_last().unwrap();
    let mut writer = repository.get("live").unwrap().writer().unwrap();
    for dry in [true, false] {
        let all = PruneOptions::new().keep(0).permanently();
        let pruned = repository.prune(&if dry { all.dry_run() } else { all }).unwrap();
        assert_eq!(gone(&pruned), ["idle"]);
        let mut spared: Vec<_> =
            pruned.spared.iter().map(|(id, why)| (id.as_str(), *why)).collect();
        spared.sort_by_key(|(id, _)| *id);
        assert_eq!(spared, [("last", Spared::Last), ("live", Spared::InUse)]);
    }
    writer.save(b"goes on").unwrap();
    assert_eq!(repository.list().unwrap().sessions.len(), 2);
}

pub(super) fn prune_revisions(repository: &Subject) {
    let session = create(repository, "job");
    let dry = |options: PruneOptions| {
        let pruned = session.prune(&options.dry_run()).unwrap();
        pruned.gone.iter().map(|it| it.info.revision.number().unwrap_or(0)).collect::<Vec<_>>()
    };
    let new = PruneOptions::new;
    assert!(dry(new().keep(0)).is_empty(), "nothing was saved");
    if !repository.capabilities.history {
        session.save(b"only").unwrap();
        assert!(dry(new().keep(0)).is_empty());
        return;
    }
    // More than any of them keeps in one place.
    let data = |n: u64| [n.to_le_bytes().repeat(20_000), vec![n as u8]].concat();
    for n in 1..=8 {
        let label = SaveOptions::new().label("even", (n % 2 == 0).to_string());
        session.save_with(&data(n), &label.keep(Retention::All)).unwrap();
    }
    assert!(dry(new()).is_empty(), "nothing goes without a criterion");
    assert_eq!(dry(new().keep(6)), [2, 1]);
    assert_eq!(dry(new().keep(0)), [7, 6, 5, 4, 3, 2, 1], "but never the newest");
    assert_eq!(dry(new().older_than(Duration::ZERO)).len(), 7);
    assert!(dry(new().older_than(Duration::from_secs(3600))).is_empty());
    assert!(dry(new().larger_than(1 << 30)).is_empty());
    assert_eq!(dry(new().larger_than(1)).len(), 7);
    let history = session.history().unwrap().revisions;
    assert_eq!(dry(new().total(history[0].stored + history[1].stored)), [6, 5, 4, 3, 2, 1]);
    let label = |value: &str| new().label("even", Some(value.to_owned()));
    assert_eq!(dry(label("false")), [1], "an older one stays in the way of the others");
    assert!(dry(label("true")).is_empty());

    let mut writer = session.writer().unwrap();
    assert_error!(session.prune(&new().keep(2)), Error::Busy { .. });
    assert_error!(session.prune(&new().keep(2).dry_run()), Error::Busy { .. });
    writer.save_with(&data(9), &SaveOptions::new().keep(Retention::All)).unwrap();
    drop(writer);
    assert_eq!(session.history().unwrap().revisions.len(), 9);

    let would = session.prune(&new().keep(3).dry_run()).unwrap().usage;
    let before = session.would_remove().unwrap();
    let pruned = session.prune(&new().keep(3)).unwrap();
    assert!(pruned.remains.is_empty() && pruned.gone.len() == 6, "{pruned:?}");
    let given_back = before.bytes - session.would_remove().unwrap().bytes;
    assert_eq!(pruned.usage.bytes, given_back);
    // How an object store describes them is seen when it is written anew.
    assert!((given_back - 4096..=given_back).contains(&would.bytes), "{would:?}, {given_back}");
    assert!(given_back > data(1).len() as u64, "{given_back}");
    let numbers = || {
        let history = session.history().unwrap();
        assert!(history.damaged.is_empty(), "{history:?}");
        history.revisions.iter().filter_map(|it| it.info.revision.number()).collect::<Vec<_>>()
    };
    assert_eq!(numbers(), [9, 8, 7]);
    assert_error!(session.load_revision(pruned.gone[0].info.revision), Error::NoRevision { .. });
    assert!(!session.verify().unwrap().is_damaged());
    assert_eq!(session.prune(&new().keep(3)).unwrap().gone.len(), 0);
    assert_eq!(session.prune(&new().keep(1)).unwrap().gone.len(), 2);
    // It goes on as it was.
    assert_eq!(session.load().unwrap().data, data(9));
    let next = SaveOptions::new().keep(Retention::All);
    assert_eq!(session.save_with(&data(10), &next).unwrap().revision.number(), Some(10));
    assert_eq!(numbers(), [10, 9]);
}
