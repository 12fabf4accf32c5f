//! Revisions that are given up, also of packs.

use pitstop::{Error, PruneOptions, Retention, Revision, SaveOptions};

use super::{Faulty, named, repository};

#[test]
fn revisions_are_given_up_in_packs_too() {
    let store = std::sync::Arc::new(Faulty::new());
    let session = repository(store).create(&named("job")).unwrap();
    let data = |n: u64| n.to_le_bytes().repeat(1500 + n as usize);
    let mut writer = session.writer().unwrap();
    for n in 1..=300 {
        writer.save_with(&data(n), &SaveOptions::new().keep(Retention::All)).unwrap();
    }
    drop(writer);
    for keep in [250, 111, 40, 1] {
        let options = PruneOptions::new().keep(keep);
        let before = session.would_remove().unwrap();
        let would = session.prune(&options.clone().dry_run()).unwrap();
        assert_eq!(session.would_remove().unwrap(), before, "a dry run changes nothing");
        let pruned = session.prune(&options).unwrap();
        assert!(pruned.remains.is_empty());
        let given_back = before.bytes - session.would_remove().unwrap().bytes;
        assert_eq!(pruned.usage.bytes, given_back, "{keep}");
        assert!(given_back > 12_000 * pruned.gone.len() as u64, "{keep}: {given_back}");
        assert!(would.usage.bytes <= given_back && would.gone == pruned.gone, "{keep}");
        let history = session.history().unwrap();
        assert!(history.damaged.is_empty());
        let numbers: Vec<_> =
            history.revisions.iter().filter_map(|it| it.info.revision.number()).collect();
        assert_eq!(numbers, (301 - keep as u64..=300).rev().collect::<Vec<_>>());
        for n in numbers {
            let loaded = session.load_revision(Revision::from_number(n)).unwrap();
            assert!(loaded.data == data(n), "{n}");
        }
        let gone = Revision::from_number(300 - keep as u64);
        assert!(matches!(session.load_revision(gone), Err(Error::NoRevision { .. })));
    }
}
