//! What another local user can do to root and to other users: nothing that SECURITY.md does not say.
//!
//! These tests run as several users, and so only as root.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pitstop::{CreateOptions, Error, Format, Repository};
use rustix::process::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use tempfile::TempDir;

/// Users and a group that nobody has.
pub(crate) const EVE: u32 = 52_001;
pub(crate) const BOB: u32 = 52_002;
const TEAM: u32 = 52_003;

/// Does something as another user, in a thread that is that user's.
#[track_caller]
pub(crate) fn by<T: Send>(user: u32, groups: &[u32], work: impl FnOnce() -> T + Send) -> T {
    let as_user = || {
        let (uid, gid) = (Uid::from_raw(user), Gid::from_raw(user));
        let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
        set_thread_groups(&groups).unwrap();
        set_thread_res_gid(gid, gid, gid).unwrap();
        set_thread_res_uid(uid, uid, uid).unwrap();
        work()
    };
    thread::scope(|scope| match scope.spawn(as_user).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Whether this can be several users; says so where it cannot.
pub(crate) fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        let _ = writeln!(std::io::stderr(), "skipped: only root can be several users");
    }
    is_root
}

/// A directory in which everybody may make things, as in /tmp.
pub(crate) fn everybodys() -> TempDir {
    let scratch = tempfile::tempdir().unwrap();
    fs::set_permissions(scratch.path(), Permissions::from_mode(0o1777)).unwrap();
    scratch
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn make(path: PathBuf, owner: u32, group: u32, mode: u32) -> PathBuf {
    fs::create_dir(&path).unwrap();
    chown(&path, Some(owner), Some(group)).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

/// The modes of a session that is made and saved in a repository there, by whoever calls this.
fn modes_of_a_save(repository: &Path) -> Vec<u32> {
    let mut modes = Vec::new();
    for format in [Format::Plain, Format::Journal] {
        let repository = Repository::open(repository).unwrap();
        let session = repository.create(&CreateOptions::new().format(format)).unwrap();
        session.save(b"secret").unwrap();
        let place = session.location().unwrap();
        modes.push(mode(&place));
        modes.extend(fs::read_dir(&place).unwrap().map(|it| mode(&it.unwrap().path())));
    }
    // A directory keeps the bit that says whose group it has, which gives nobody a right.
    modes.iter_mut().filter(|it| **it == 0o2700).for_each(|it| *it = 0o700);
    modes.sort_unstable();
    modes.dedup();
    modes
}

const PRIVATE: [u32; 2] = [0o600, 0o700];
const SHARED: [u32; 2] = [0o660, 0o2770];

#[test]
fn a_directory_is_shared_only_where_its_owner_may_say_so() {
    if !is_root() {
        return;
    }
    let scratch = everybodys();
    let at = |name: &str| scratch.path().join(name);
    // Root: where root owns it, and nobody else may write.
    assert_eq!(modes_of_a_save(&make(at("roots"), 0, TEAM, 0o2770)), SHARED);
    assert_eq!(modes_of_a_save(&make(at("eves"), EVE, TEAM, 0o2770)), PRIVATE);
    assert_eq!(modes_of_a_save(&make(at("open"), 0, TEAM, 0o2777)), PRIVATE);
    // A user: where that user or root owns it.
    let by_bob = |path: PathBuf| by(BOB, &[TEAM], || modes_of_a_save(&path));
    assert_eq!(by_bob(make(at("bobs"), BOB, TEAM, 0o2770)), SHARED);
    assert_eq!(by_bob(make(at("roots too"), 0, TEAM, 0o2770)), SHARED);
    assert_eq!(by_bob(make(at("eves too"), EVE, TEAM, 0o2770)), PRIVATE);
    // Or another member of the group, who is known to be one: user and group 1 are everywhere.
    let daemons = make(at("daemons"), 1, 1, 0o2770);
    if fs::read_to_string("/etc/passwd").is_ok_and(|it| it.contains(":x:1:1:")) {
        assert_eq!(by(BOB, &[1], || modes_of_a_save(&daemons)), SHARED);
    }
}

#[test]
fn what_root_saves_in_a_members_session_is_the_groups_if_the_repository_is_roots() {
    if !is_root() {
        return;
    }
    let scratch = everybodys();
    let place = make(scratch.path().join("sessions"), 0, TEAM, 0o2770);
    let session = by(BOB, &[TEAM], || Repository::open(&place).unwrap().get_or_create("job"));
    let session = session.unwrap();
    session.save(&vec![1; 100_000]).unwrap();
    for entry in fs::read_dir(session.location().unwrap()).unwrap() {
        assert_eq!(mode(&entry.unwrap().path()), 0o660);
    }
    assert_eq!(by(BOB, &[TEAM], || session.load()).unwrap().data.len(), 100_000);
}

#[test]
fn a_second_name_of_somebodys_file_is_not_written() {
    let scratch = everybodys();
    let repository = Repository::open(scratch.path().join("sessions")).unwrap();
    let victim = scratch.path().join("victim");
    for content in ["somebody's own", ""] {
        fs::write(&victim, content).unwrap();
        fs::set_permissions(&victim, Permissions::from_mode(0o644)).unwrap();
        let session = repository.create(&CreateOptions::new()).unwrap();
        let writer = session.location().unwrap().join("session.writer");
        fs::remove_file(&writer).unwrap();
        fs::hard_link(&victim, &writer).unwrap();
        {
            let mut writer = session.writer().unwrap();
            writer.save(b"1").unwrap();
            assert!(matches!(session.writer(), Err(Error::Busy { .. })));
            assert_eq!(fs::read_to_string(&victim).unwrap(), content);
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), content);
        assert_eq!(mode(&victim), 0o644);
        assert_eq!(session.load().unwrap().data, b"1");
    }
}

#[test]
fn whoever_is_refused_hears_who_has_it() {
    let scratch = tempfile::tempdir().unwrap();
    let repository = Repository::open(scratch.path().join("sessions")).unwrap();
    let session = repository.get_or_create("job").unwrap();
    let (is_over, mut refused) = (AtomicBool::new(false), 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let _ = session.writer();
            }
        });
        let began = Instant::now();
        while refused < 20_000 && began.elapsed() < Duration::from_secs(20) {
            if let Err(error) = session.writer() {
                assert!(matches!(error, Error::Busy { owner: Some(_), .. }), "{refused}: {error}");
                refused += 1;
            }
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(refused > 0);
}

/// Whoever knows the name of a shared writer's socket: the kernel tells it to everybody.
#[test]
fn a_shared_writer_is_neither_lent_to_strangers_nor_taken_for_theirs() {
    if !is_root() {
        return;
    }
    let scratch = everybodys();
    let place = make(scratch.path().join("bobs"), BOB, BOB, 0o700);
    let session = by(BOB, &[], || Repository::open(&place).unwrap().get_or_create("job").unwrap());
    let shared = by(BOB, &[], || session.writer().unwrap().share().unwrap());
    let (_, variable) = shared.environment().swap_remove(0);
    let variable = variable.into_string().unwrap();
    let name = variable.split_once(':').unwrap().0.to_owned();
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    // A stranger, and one that this system has no name for, are cut off before they said a word.
    for user in [EVE, 65534] {
        let heard = by(user, &[], || {
            let mut stream = UnixStream::connect_addr(&address).unwrap();
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).map(|_| heard)
        });
        assert!(heard.is_ok_and(|it| it.is_empty()), "{user}");
    }
    drop(shared);
    // The holder has ended: who has its name now hears nothing, and no job is told that it saved.
    for user in [EVE, 65534] {
        let squatter = by(user, &[], || UnixListener::bind_addr(&address).unwrap());
        let heard = thread::spawn(move || {
            let mut heard = Vec::new();
            squatter.accept().unwrap().0.read_to_end(&mut heard).map(|_| heard)
        });
        let mut job = crate::watchdog::child("save through another's writer", scratch.path());
        job.env("PITSTOP_WRITER", &variable).env("PLACE", &place).uid(BOB).gid(BOB);
        let ended = job.output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{said}");
        assert_eq!(heard.join().unwrap().unwrap(), b"", "{user}");
    }
    assert!(matches!(session.load(), Err(Error::NoCheckpoint { .. })));
}
