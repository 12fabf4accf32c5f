//! Places where less holds than on a local disk: two mounts that share no locks, names that have inodes of their
//! own, and directories that cannot be renamed.

use std::path::Path;
use std::time::Duration;

use pitstop::{
    CreateOptions, Error, Format, PruneOptions, Repository, SaveOptions, Session, SessionId,
    WriterState,
};
use pitstop_testing::SimulatedDisk;

const PLACE: &str = "/sessions";

fn job(disk: &SimulatedDisk, format: Format) -> (Repository, Session) {
    let repository = disk.repository(PLACE).unwrap();
    let options = CreateOptions::new().id(SessionId::new("job").unwrap()).format(format);
    let session = repository.create(&options).unwrap();
    (repository, session)
}

fn other(disk: &SimulatedDisk) -> Session {
    disk.other_mount().repository(PLACE).unwrap().get("job").unwrap()
}

/// The one that came by the other mount has the word of its own lock; so the first one may not answer `Ok`.
#[test]
fn of_two_writers_without_common_locks_one_is_told_ok() {
    for format in [Format::Plain, Format::Journal] {
        let disk = SimulatedDisk::new();
        let (_, here) = job(&disk, format);
        let mut first = here.writer().unwrap();
        first.save(b"first").unwrap();
        let there = other(&disk);
        let mut second = there.writer().unwrap();
        second.save(b"second").unwrap();
        let late = first.save(b"late");
        assert!(matches!(late, Err(Error::Displaced { .. })), "{late:?}");
        drop(first);
        second.save(b"second again").unwrap();
        drop(second);
        assert_eq!(here.load().unwrap().data, b"second again");
    }
}

/// Where the first one can be seen to live, it is not disturbed.
#[test]
fn a_writer_that_is_seen_to_live_is_not_disturbed() {
    for format in [Format::Plain, Format::Journal] {
        let disk = SimulatedDisk::new();
        disk.set_processes_are_seen(true);
        let (_, here) = job(&disk, format);
        let mut first = here.writer().unwrap();
        first.save(b"first").unwrap();
        let there = other(&disk);
        for refused in [there.writer().map(drop), there.remove().map(drop), there.trash().map(drop)]
        {
            assert!(matches!(refused, Err(Error::Busy { owner: Some(_), .. })), "{refused:?}");
        }
        let writer = there.status().unwrap().writer;
        assert!(matches!(writer, WriterState::Live(Some(_))), "{writer:?}");
        first.save(b"first again").unwrap();
        drop(first);
        there.save(b"second").unwrap();
    }
}

/// PlainBox's lock, taken for a moment, is known to be ours also by a name with another inode.
#[test]
fn a_second_name_with_an_inode_of_its_own_locks_nobody_out() {
    let disk = SimulatedDisk::new();
    disk.set_one_inode(false);
    let (repository, session) = job(&disk, Format::Plain);
    let mut newest = session.save(b"one").unwrap().revision;
    for data in [b"two", b"six"] {
        newest = session.save_with(data, &SaveOptions::new().follows(newest)).unwrap().revision;
        let names = disk.names("/sessions/job.session");
        assert!(names.iter().all(|it| it != "session.next"), "{names:?}");
    }
    for format in [Format::Journal, Format::Plain] {
        session.convert(format, true).unwrap();
        session.save(b"converted").unwrap();
    }
    // Another's is still another's.
    disk.put_file("/sessions/job.session/session.next", b"PlainBox's");
    assert!(matches!(session.save(b"no"), Err(Error::Locked { .. })));
    drop(repository);
}

#[test]
fn a_directory_that_cannot_be_renamed_is_removed_where_it_is() {
    for format in [Format::Plain, Format::Journal] {
        let disk = SimulatedDisk::new();
        let (repository, session) = job(&disk, format);
        session.save(b"one").unwrap();
        disk.put_file("/sessions/job.session/own/file", b"the program's");
        disk.set_directories_move(false);
        let refused = session.trash();
        assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
        assert_eq!(session.load().unwrap().data, b"one");
        let kept = PruneOptions::new().keep(0);
        assert_eq!(repository.prune(&kept).unwrap().problems.len(), 1);
        let pruned = repository.prune(&PruneOptions::new().keep(0).permanently()).unwrap();
        assert_eq!((pruned.gone.len(), pruned.problems.len()), (1, 0), "{pruned:?}");
        assert!(disk.names(PLACE).iter().all(|it| it != "job.session"));
        disk.set_directories_move(true);
        let (_, session) = job(&disk, format);
        session.save(b"one").unwrap();
        disk.set_directories_move(false);
        assert!(session.remove().unwrap().remains.is_empty());
        assert!(matches!(session.load(), Err(Error::NotFound { .. })));
    }
}

/// Clean-up tools go by age, and would take first what no save ever changes.
#[test]
fn files_of_a_writer_are_touched_once_a_day() {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    for format in [Format::Plain, Format::Journal] {
        let disk = SimulatedDisk::new();
        let (_, session) = job(&disk, format);
        let newest = session.save(b"one").unwrap();
        let place = Path::new("/sessions/job.session");
        let begun = disk.changed(place.join("session.writer")).unwrap();
        let age = |disk: &SimulatedDisk| {
            let changed =
                disk.names(place).into_iter().map(|it| disk.changed(place.join(it)).unwrap());
            changed.min().unwrap().duration_since(begun).unwrap()
        };
        // By one that comes later, and by one that stays.
        disk.advance(3 * DAY);
        let mut writer = session.writer().unwrap();
        assert!(age(&disk) >= 3 * DAY, "{format}: {:?}", disk.names(place));
        assert_eq!(session.load().unwrap().info, newest, "{format}");
        disk.advance(DAY / 2);
        writer.save(b"two").unwrap();
        if format == Format::Journal {
            assert!(age(&disk) < 3 * DAY + DAY / 2, "{:?}", age(&disk));
        }
        disk.advance(DAY);
        writer.save(b"six").unwrap();
        assert!(age(&disk) >= 4 * DAY, "{format}");
    }
}
