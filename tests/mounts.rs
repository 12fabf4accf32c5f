//! Real file systems on which a session cannot be renamed: a lower layer of an overlay, and a btrfs that is full.
//! Only root mounts them; what cannot be mounted is not tested, and says so.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use pitstop::{CreateOptions, Error, Format, PruneOptions, Repository, Session, SessionId};

/// Unmounted when it is dropped.
struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

fn mount(arguments: &[&str], place: &Path) -> Option<Mount> {
    fs::create_dir_all(place).unwrap();
    let mounted = Command::new("mount").args(arguments).arg(place).output().ok()?;
    if !mounted.status.success() {
        eprintln!("not tested: {}", String::from_utf8_lossy(&mounted.stderr).trim());
        return None;
    }
    Some(Mount(place.to_owned()))
}

const FORMATS: [(&str, Format); 2] = [("plain", Format::Plain), ("journal", Format::Journal)];

fn fill(place: &Path) {
    let repository = Repository::open(place).unwrap();
    for (name, format) in FORMATS {
        for copy in ["removed", "pruned"] {
            let id = SessionId::new(format!("{name}-{copy}")).unwrap();
            let options = CreateOptions::new().id(id).format(format);
            let session = repository.create(&options).unwrap();
            session.save(b"saved").unwrap();
            fs::write(session.location().unwrap().join("own"), b"the program's").unwrap();
        }
    }
}

fn is_gone(session: &Session) {
    assert!(matches!(session.load(), Err(Error::NotFound { .. })), "{session:?}");
    assert!(!session.location().unwrap().exists());
}

fn remove_and_prune(place: &Path) {
    let repository = Repository::open(place).unwrap();
    for (name, _) in FORMATS {
        let session = repository.get(format!("{name}-removed")).unwrap();
        assert!(session.remove().unwrap().remains.is_empty());
        is_gone(&session);
    }
    let pruned = repository.prune(&PruneOptions::new().keep(0).permanently()).unwrap();
    assert!(pruned.problems.is_empty(), "{pruned:?}");
    for (name, _) in FORMATS {
        is_gone(&repository.session(SessionId::new(format!("{name}-pruned")).unwrap()));
    }
}

#[test]
fn a_session_of_a_lower_layer_is_removed() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    for name in ["lower", "upper", "work"] {
        fs::create_dir(at(name)).unwrap();
    }
    fill(&at("lower").join("sessions"));
    let layers = format!(
        "lowerdir={},upperdir={},workdir={}",
        at("lower").display(),
        at("upper").display(),
        at("work").display()
    );
    let all = ["-t", "overlay", "overlay", "-o", &layers];
    let Some(_mount) = mount(&all, &at("all")) else { return };
    let place = at("all").join("sessions");
    let session = Repository::open(&place).unwrap().get("journal-removed").unwrap();
    let refused = session.trash();
    assert!(matches!(refused, Err(Error::Unsupported { .. })), "{refused:?}");
    assert_eq!(session.load().unwrap().data, b"saved");
    session.save(b"saved in the upper layer").unwrap();
    remove_and_prune(&place);
    assert!(at("lower").join("sessions/plain-pruned.session/session").exists());
}

#[test]
fn a_session_on_a_full_btrfs_is_removed() {
    let scratch = tempfile::tempdir().unwrap();
    let image = scratch.path().join("image");
    File::create(&image).unwrap().set_len(120 << 20).unwrap();
    let made = Command::new("mkfs.btrfs").args(["-q", "--mixed"]).arg(&image).output();
    if !made.is_ok_and(|it| it.status.success()) {
        return eprintln!("not tested: there is no mkfs.btrfs");
    }
    let image = image.to_str().unwrap();
    let Some(mount) = mount(&["-o", "loop", image], &scratch.path().join("disk")) else { return };
    let place = mount.0.join("sessions");
    fill(&place);
    fill_up(&mount.0);
    remove_and_prune(&place);
}

/// Leaves room for nothing: files as large as they come, then ever smaller ones.
fn fill_up(place: &Path) {
    for (n, size) in [1 << 20, 64 << 10, 4096, 512, 1].into_iter().enumerate() {
        for m in 0.. {
            let made = File::create(place.join(format!("filler-{n}-{m}")));
            let filled = made.and_then(|mut it| {
                it.write_all(&vec![7; size])?;
                it.sync_all()
            });
            if filled.is_err() {
                break;
            }
        }
    }
}
