//! A session as a single file: what comes back, and what is refused.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use pitstop::{
    CheckpointInfo, Copied, CopyOptions, Error, Format, MemoryBackend, Repository, SaveOptions,
    Session,
};
use tar::{Archive, Builder, EntryType, Header};
use tempfile::TempDir;

fn session(at: &Path) -> Session {
    let session = Repository::open(at.join("here")).unwrap().get_or_create("job").unwrap();
    for step in ["1", "2", "3"] {
        let options = SaveOptions::new().label("step", step);
        session.save_with(step.repeat(700).as_bytes(), &options).unwrap();
    }
    let directory = session.location().unwrap();
    fs::create_dir_all(directory.join("logs/deep")).unwrap();
    fs::write(directory.join("logs/deep/log"), "a log").unwrap();
    fs::write(directory.join("logs").join("n".repeat(200)), "a long name").unwrap();
    std::os::unix::fs::symlink("deep/log", directory.join("logs/newest")).unwrap();
    session
}

fn exported(session: &Session) -> Vec<u8> {
    let mut archive = Vec::new();
    let exported = session.export(&mut archive, |_| ()).unwrap();
    assert!(exported.passed_over.is_empty() && exported.damaged.is_empty(), "{exported:?}");
    archive
}

fn infos(session: &Session) -> Vec<CheckpointInfo> {
    session.history().unwrap().revisions.into_iter().map(|it| it.info).collect()
}

fn import(archive: &[u8], into: &Repository) -> Result<Copied, Error> {
    into.import(archive, CopyOptions::new())
}

struct Place {
    scratch: TempDir,
    there: Repository,
    archive: Vec<u8>,
}

fn place() -> Place {
    let scratch = tempfile::tempdir().unwrap();
    let archive = exported(&session(scratch.path()));
    let there = Repository::open(scratch.path().join("there")).unwrap();
    Place { scratch, there, archive }
}

#[test]
fn what_is_moved_is_told_of_within_a_checkpoint() {
    let scratch = tempfile::tempdir().unwrap();
    let session = session(scratch.path());
    session.save(&vec![7; 20 << 20]).unwrap();
    let (mut written, mut taken) = (Vec::new(), Vec::new());
    let mut archive = Vec::new();
    session.export(&mut archive, |it| written.push((it.done, it.total))).unwrap();
    let there = Repository::open(scratch.path().join("there")).unwrap();
    let options = CopyOptions::new().progress(|it| taken.push((it.done, it.total)));
    there.import(archive.as_slice(), options).unwrap();
    for told in [written, taken] {
        assert!(told.len() > 20 && told.is_sorted(), "{}", told.len());
        let (done, total) = told[told.len() - 1];
        assert_eq!(done, total);
    }
}

#[test]
fn a_session_goes_on_where_its_archive_is_taken() {
    let Place { scratch, there, archive } = place();
    let original = Repository::open(scratch.path().join("here")).unwrap().get("job").unwrap();
    let copied = import(&archive, &there).unwrap();
    assert_eq!((copied.revisions, copied.files), (3, 2));
    assert_eq!(infos(&copied.session), infos(&original));
    assert_eq!(copied.session.load().unwrap(), original.load().unwrap());
    let directory = copied.session.location().unwrap();
    assert_eq!(fs::read(directory.join("logs/deep/log")).unwrap(), b"a log");
    assert_eq!(fs::read(directory.join("logs").join("n".repeat(200))).unwrap(), b"a long name");
    let link = fs::read_link(directory.join("logs/newest")).unwrap();
    assert_eq!(link, Path::new("deep/log"));
    assert_eq!(import(&archive, &there).unwrap().revisions, 0);
    // A newer one brings what came since. An older one does not know of it.
    original.save(b"next").unwrap();
    assert_eq!(import(&exported(&original), &there).unwrap().revisions, 1);
    assert!(matches!(import(&archive, &there), Err(Error::Diverged { .. })));
    copied.session.save(b"its own way").unwrap();
    assert!(matches!(import(&exported(&original), &there), Err(Error::Diverged { .. })));
    assert_eq!(copied.session.load().unwrap().data, b"its own way");
}

#[test]
fn any_format_comes_from_any_other() {
    let Place { there, archive, .. } = place();
    let plain = there.clone().with_format(Format::Plain);
    let copied = import(&archive, &plain).unwrap();
    assert_eq!((copied.revisions, copied.without_history), (1, 2));
    let of_plain = exported(&copied.session);
    let memory = Repository::with_backend(MemoryBackend::new());
    let copied = import(&of_plain, &memory).unwrap();
    assert_eq!(copied.session.load().unwrap().data, "3".repeat(700).into_bytes());
    // Where there is no directory, its files are said to be missing.
    assert_eq!((copied.files, copied.passed_over.len()), (0, 3));
}

#[test]
fn an_archive_that_ends_early_leaves_nothing() {
    let Place { there, archive, .. } = place();
    // Behind the last entry come its padding and two empty blocks.
    let end = archive.len() - 1024;
    for len in (0..end).step_by(512).chain([1, 100, 700]) {
        let error = import(&archive[..len], &there).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{len}: {error:?}");
        assert!(there.list().unwrap().sessions.is_empty(), "{len}");
    }
    import(&archive, &there).unwrap();
}

/// Fails as a library's reader does, with an error that the system does not know.
struct Torn;

impl Read for Torn {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("the tape is torn"))
    }
}

#[test]
fn a_source_that_fails_is_not_taken_for_damage() {
    let Place { there, archive, .. } = place();
    for end in [0, 100, 512, 700, archive.len() / 2] {
        match there.import(archive[..end].chain(Torn), CopyOptions::new()) {
            Err(Error::Input { source }) => assert_eq!(source.to_string(), "the tape is torn"),
            other => panic!("{end}: {other:?}"),
        }
        assert!(there.list().unwrap().sessions.is_empty());
    }
}

#[test]
fn no_byte_of_an_archive_changes_unseen() {
    let scratch = tempfile::tempdir().unwrap();
    let original = session(scratch.path());
    let archive = exported(&original);
    for at in 0..archive.len() {
        let mut changed = archive.clone();
        changed[at] ^= 1 << (at % 8);
        let memory = Repository::with_backend(MemoryBackend::new());
        match memory.import(changed.as_slice(), CopyOptions::new()) {
            // What is between the entries counts for nothing.
            Ok(copied) => assert_eq!(infos(&copied.session), infos(&original), "{at}"),
            // Of the head, before its digest comes.
            Err(Error::InvalidId { .. } | Error::NewerFormat { .. }) => (),
            Err(Error::Corrupt { .. }) => {
                assert!(memory.list().unwrap().sessions.is_empty(), "{at}");
            }
            Err(error) => panic!("{at}: {error:?}"),
        }
    }
}

/// The archive with something else in it behind the entry of this name.
fn with(archive: &[u8], behind: &str, add: impl Fn(&mut Builder<Vec<u8>>)) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for entry in Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        let mut header = entry.header().clone();
        let path = entry.path().unwrap().into_owned();
        let mut data = Vec::new();
        entry.read_to_end(&mut data).unwrap();
        match entry.link_name().unwrap() {
            Some(target) => builder.append_link(&mut header, &path, target.as_ref()).unwrap(),
            None => builder.append_data(&mut header, &path, data.as_slice()).unwrap(),
        }
        if path == Path::new(behind) {
            add(&mut builder);
        }
    }
    builder.into_inner().unwrap()
}

/// An entry of any name whatever.
fn entry(
    name: &str,
    kind: EntryType,
    target: &str,
    data: &[u8],
) -> impl Fn(&mut Builder<Vec<u8>>) + use<> {
    let mut header = Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(data.len() as u64);
    header.as_mut_bytes()[157..157 + target.len()].copy_from_slice(target.as_bytes());
    header.set_mode(0o4777);
    header.set_mtime(0);
    header.set_cksum();
    let data = data.to_owned();
    move |builder| builder.append(&header, data.as_slice()).unwrap()
}

#[test]
fn what_does_not_belong_in_an_archive_is_refused() {
    let Place { scratch, there, archive } = place();
    let outside = scratch.path().join("outside");
    fs::write(&outside, "outside").unwrap();
    let absolute = outside.to_str().unwrap();
    let file = |name: &str| entry(name, EntryType::Regular, "", b"evil");
    let link = |name: &str, target: &str| entry(name, EntryType::Symlink, target, b"");
    type Add = Box<dyn Fn(&mut Builder<Vec<u8>>)>;
    let last = "files/logs/newest";
    let cases: Vec<(&str, &str, Add)> = vec![
        ("an absolute path", last, Box::new(file(absolute))),
        ("an absolute path behind files", last, Box::new(file(&format!("files/{absolute}")))),
        ("a path upwards", last, Box::new(file("files/../../outside"))),
        ("a path upwards in the middle", last, Box::new(file("files/z/../../../outside"))),
        ("a dot", last, Box::new(file("files/./z"))),
        ("no name", last, Box::new(file("files/"))),
        ("files itself", last, Box::new(entry("files", EntryType::Directory, "", b""))),
        ("a name of ours", last, Box::new(file("files/session.writer"))),
        ("the checkpoint of ours", last, Box::new(file("files/session"))),
        ("a journal of ours", last, Box::new(file("files/session.journal-0"))),
        ("a second time", last, Box::new(file("files/logs/deep/log"))),
        ("a link to an absolute path", last, Box::new(link("files/z", absolute))),
        ("a link upwards", last, Box::new(link("files/z", "../../outside"))),
        ("a link upwards behind a name", last, Box::new(link("files/z", "logs/../../outside"))),
        ("a link that is empty", last, Box::new(link("files/z", ""))),
        ("a hard link", last, Box::new(entry("files/z", EntryType::Link, absolute, b""))),
        ("a device", last, Box::new(entry("files/z", EntryType::Block, "", b""))),
        ("a FIFO", last, Box::new(entry("files/z", EntryType::Fifo, "", b""))),
        ("a sparse file", last, Box::new(entry("files/z", EntryType::GNUSparse, "", b""))),
        ("a PAX header", last, Box::new(entry("files/z", EntryType::XHeader, "", b"11 path=/a\n"))),
        ("through a link", last, {
            let (to, through) = (link("files/z", "logs"), file("files/z/evil"));
            Box::new(move |builder| (to(builder), through(builder)).0)
        }),
        ("a file that is no one's", last, Box::new(file("files/z"))),
        ("a file among the checkpoints", "checkpoints/1", Box::new(file("files/z"))),
        ("a checkpoint twice", "checkpoints/1", Box::new(file("checkpoints/1"))),
        ("a checkpoint of no number", "checkpoints/3", Box::new(file("checkpoints/9"))),
        ("something else", "pitstop.json", Box::new(file("etc/passwd"))),
    ];
    for (what, behind, add) in cases {
        let error = import(&with(&archive, behind, add), &there).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{what}: {error:?}");
        assert!(there.list().unwrap().sessions.is_empty(), "{what}");
        let left: Vec<_> = fs::read_dir(there.location()).unwrap().collect();
        assert!(left.is_empty(), "{what}: {left:?}");
        assert_eq!(fs::read(&outside).unwrap(), b"outside", "{what}");
    }
    import(&with(&archive, last, |_| ()), &there).unwrap();
}

#[test]
fn names_and_lists_without_end_take_no_memory() {
    let scratch = tempfile::tempdir().unwrap();
    let there = Repository::open(scratch.path().join("there")).unwrap();
    for (name, kind) in [("x", EntryType::GNULongName), ("pitstop.json", EntryType::Regular)] {
        let mut header = Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_entry_type(kind);
        header.set_size(1 << 60);
        header.set_cksum();
        let endless = header.as_bytes().chain(std::io::repeat(b' '));
        let error = there.import(endless, CopyOptions::new()).unwrap_err();
        assert!(error.to_string().ends_with("something in it is too long"), "{error}");
    }
    assert!(there.list().unwrap().sessions.is_empty());
}

#[test]
fn an_archive_of_a_newer_format_is_refused() {
    let Place { there, archive, .. } = place();
    let text = String::from_utf8_lossy(&archive).into_owned();
    let at = text.find("{\"archive\":1").unwrap();
    let mut newer = archive;
    newer[at + 11] = b'2';
    match import(&newer, &there) {
        Err(Error::NewerFormat { version, .. }) => assert_eq!(version, 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_place_that_cannot_be_written_is_said_to_be_so() {
    let scratch = tempfile::tempdir().unwrap();
    let session = session(scratch.path());
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    match session.export(full, |_| ()) {
        Err(Error::Output { source }) => {
            assert_eq!(source.kind(), std::io::ErrorKind::StorageFull);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(infos(&session).len(), 3);
}
