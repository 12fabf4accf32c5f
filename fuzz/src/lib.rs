//! What reads what lies on disk, given any bytes. The fuzzer runs these functions for long, and the
//! library's own tests for a moment.

mod journals;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use pitstop::{Digest, Error, Format, Repository, Revision, Session, SessionId, WriterState};

pub use journals::journals;

/// A repository with two sessions, and beside it something that only looks like a session.
struct Scene {
    scratch: tempfile::TempDir,
    repository: Repository,
    job: Session,
}

impl Scene {
    fn new() -> Self {
        // In memory where there is such a place: nothing here is about what lasts.
        let scratch = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let repository =
            Repository::open(scratch.path().join("sessions")).unwrap().with_format(Format::Plain);
        let job = repository.get_or_create("job").unwrap();
        job.save(b"state").unwrap();
        repository.get_or_create("other").unwrap().save(b"other").unwrap();
        fs::create_dir(scratch.path().join("outside.session")).unwrap();
        fs::write(scratch.path().join("outside.session/session"), "outside").unwrap();
        Self { scratch, repository, job }
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.job.location().unwrap().join(name)
    }

    /// Whatever was done, this works, and what is not the session's own is as it was.
    fn goes_on(&self) {
        let job = self.repository.get("job").unwrap();
        job.save(b"goes on").unwrap();
        assert_eq!(job.load().unwrap().data, b"goes on");
        assert_eq!(job.status().unwrap().writer, WriterState::Idle);
        job.make_last().unwrap();
        assert_eq!(self.repository.last().unwrap().unwrap().id(), job.id());
        job.remove().unwrap();
        assert!(matches!(job.load(), Err(Error::NotFound { .. })));
        let outside = self.scratch.path().join("outside.session/session");
        assert_eq!(fs::read(outside).unwrap(), b"outside");
    }

    fn other_is_there(&self) -> bool {
        match self.repository.get("other").and_then(|other| other.load()) {
            Ok(checkpoint) => checkpoint.data == b"other",
            Err(error) => panic!("{error:?}"),
        }
    }
}

/// Any content of any file in a session. The first byte tells which.
pub fn session_files(data: &[u8]) {
    let Some((which, content)) = data.split_first() else { return };
    let scene = Scene::new();
    match which % 6 {
        0 => owner_record(&scene, content),
        1 => {
            // A PlainBox may be writing this one, so that a person has to say that it is not.
            fs::write(scene.file("session.next"), content).unwrap();
            assert!(matches!(scene.job.save(b"too early"), Err(Error::Locked { .. })));
            assert!(matches!(scene.job.remove(), Err(Error::Locked { .. })));
            scene.job.unlock().unwrap();
            assert_eq!(fs::read(scene.file("session.aside-1")).unwrap(), content);
        }
        2 => fs::write(scene.file("session.new"), content).unwrap(),
        3 => {
            fs::write(scene.file("session"), content).unwrap();
            let loaded = scene.job.load().unwrap();
            assert_eq!(loaded.data, content);
            assert_eq!(loaded.info.digest, Digest::of(content));
        }
        4 => return replaces(&scene, content),
        _ => fs::write(scene.file("session.replaces"), content).unwrap(),
    }
    if which % 6 == 5 {
        // Not a link: that is damage, and it is told.
        assert!(scene.job.writer().is_err());
        fs::remove_file(scene.file("session.replaces")).unwrap();
    }
    if which % 6 != 3 {
        assert_eq!(scene.job.load().unwrap().data, b"state");
    }
    assert_eq!(scene.repository.list().unwrap().sessions.len(), 2);
    scene.goes_on();
    assert!(scene.other_is_there());
}

/// The record tells people who it is; what lies there never decides anything.
fn owner_record(scene: &Scene, content: &[u8]) {
    fs::write(scene.file("session.writer"), content).unwrap();
    let status = scene.job.status().unwrap();
    assert!(!status.summary.live);
    assert!(matches!(status.writer, WriterState::Idle | WriterState::Interrupted(_)));
    let mut writer = scene.job.writer().unwrap();
    fs::write(scene.file("session.writer"), content).unwrap();
    let status = scene.job.status().unwrap();
    assert!(matches!(status.writer, WriterState::Live(_)));
    match scene.job.save(b"displaced") {
        Err(error @ Error::Busy { .. }) => drop(error.to_string()),
        other => panic!("{other:?}"),
    }
    writer.save(b"state").unwrap();
}

/// Where the link to the replaced session leads. It may name the other session, and no more.
fn replaces(scene: &Scene, content: &[u8]) {
    let Some(target) = link_text(content) else { return };
    symlink(target, scene.file("session.replaces")).unwrap();
    let named = Path::new(target).file_name() == Some(OsStr::new("other.session"));
    let named = named || Path::new(target).file_name() == Some(OsStr::new("other"));
    scene.goes_on();
    assert!(named || scene.other_is_there());
}

/// Any text in the link to the last session, and any name in the repository.
pub fn repository_entries(data: &[u8]) {
    let Some((how, content)) = data.split_first() else { return };
    let scene = Scene::new();
    let repository = scene.repository.location();
    let made = match how % 4 {
        0 => link_text(content).map(|target| symlink(target, repository.join("last-session"))),
        1 => name(content, *how)
            .map(|name| fs::create_dir(repository.join(OsStr::from_bytes(&name)))),
        2 => name(content, *how)
            .map(|name| fs::write(repository.join(OsStr::from_bytes(&name)), b"")),
        _ => name(content, *how)
            .map(|name| symlink("../outside.session", repository.join(OsStr::from_bytes(&name)))),
    };
    // A name that is taken, or too long for a link.
    let Some(Ok(())) = made else { return };
    let listing = scene.repository.list().unwrap();
    for known in ["job", "other"] {
        assert!(listing.sessions.iter().any(|it| it.id.as_str() == known));
    }
    for summary in &listing.sessions {
        let session = scene.repository.get(summary.id.as_str()).unwrap();
        assert_eq!(session.status().unwrap().summary.size, summary.size);
        session.save(b"usable").unwrap();
    }
    scene.repository.get("other").unwrap().save(b"other").unwrap();
    for problem in &listing.problems {
        assert!(!problem.name.contains(|c: char| c.is_control()), "{:?}", problem.name);
        assert!(!problem.error.to_string().contains('\0'));
    }
    if let Ok(Some(last)) = scene.repository.last() {
        assert!(listing.sessions.iter().any(|it| it.id == *last.id()));
    }
    scene.goes_on();
    assert!(scene.other_is_there());
}

/// Texts that come from a command line or another file.
pub fn text(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(revision) = text.parse::<Revision>() {
        assert_eq!(revision.to_string().parse::<Revision>().unwrap(), revision);
    }
    match SessionId::new(text.clone()) {
        Ok(id) => {
            assert_eq!(id.as_str(), text);
            let scene = Scene::new();
            let session = scene.repository.get_or_create(&id).unwrap();
            session.save(b"usable").unwrap();
            session.make_last().unwrap();
            assert_eq!(scene.repository.last().unwrap().unwrap().id(), &id);
            let above = session.location().unwrap().parent().unwrap().to_owned();
            assert_eq!(above, scene.repository.location());
            let listing = scene.repository.list().unwrap();
            assert!(listing.problems.is_empty());
            assert!(listing.sessions.iter().any(|it| it.id == id));
            session.remove().unwrap();
        }
        Err(error) => {
            let told = error.to_string();
            assert!(
                told.chars().count() < 1000 && !told.contains(|c: char| c.is_control()),
                "{told:?}"
            );
        }
    }
}

/// The text of a link has no NUL in it and is not empty.
fn link_text(content: &[u8]) -> Option<&OsStr> {
    let usable = !content.is_empty() && content.len() < 4096 && !content.contains(&0);
    usable.then(|| OsStr::from_bytes(content))
}

/// A name in a directory; half of them end as a session's does.
fn name(content: &[u8], how: u8) -> Option<Vec<u8>> {
    let mut name = content.to_owned();
    if how & 0x80 == 0 {
        name.extend(b".session");
    }
    let usable =
        !name.is_empty() && name.len() < 256 && !name.contains(&0) && !name.contains(&b'/');
    (usable && name != b"." && name != b"..").then_some(name)
}
