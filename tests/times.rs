//! Nobody asks for the times of a file that a journal writes, nor of the writer's file: with multigrain
//! timestamps the next save would then commit the journal of the file system.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::libc;
use pitstop::{
    CopyOptions, CreateOptions, Format, ListOptions, PruneOptions, Repository, Revision,
    SaveOptions, SessionId,
};

use crate::traced::{self, Call, mark};

/// Not a test of its own: what the child of the test below does.
#[test]
fn child() {
    let Some((_, place)) = traced::task() else { return };
    let place = Path::new(&place);
    let repository = Repository::open(place.join("sessions")).unwrap();
    mark();
    for (name, format) in [("plain", Format::Plain), ("journal", Format::Journal)] {
        use_every_way(&repository, name, format);
    }
    mark();
}

fn use_every_way(repository: &Repository, name: &str, format: Format) {
    let id = SessionId::new(name).unwrap();
    let job = repository.create(&CreateOptions::new().id(id).format(format)).unwrap();
    let mut writer = job.writer().unwrap();
    writer.save(b"one").unwrap();
    job.status().unwrap();
    repository.list().unwrap();
    repository.list_with(&ListOptions::new().in_full()).unwrap();
    assert!(job.writer().is_err());
    writer.save_from(vec![7; 9 << 20].as_slice(), &SaveOptions::new()).unwrap();
    drop(writer);
    let stale = job.location().unwrap().join("session.next");
    fs::write(&stale, b"PlainBox's").unwrap();
    job.status().unwrap();
    job.unlock().unwrap();
    assert!(!stale.exists());
    job.load().unwrap();
    job.open_checkpoint().unwrap();
    job.verify().unwrap();
    job.repair().unwrap();
    job.would_remove().unwrap();
    job.save(b"three").unwrap();
    if format == Format::Journal {
        job.load_revision(Revision::from_number(1)).unwrap();
        assert_eq!(job.history().unwrap().revisions.len(), 3);
        job.prune(&PruneOptions::new().keep(2)).unwrap();
    }
    let id = SessionId::new(format!("{name}-copy")).unwrap();
    let options = CopyOptions::new().id(id.clone());
    let copy = job.copy_to(repository, options).unwrap().session;
    let other = if format == Format::Plain { Format::Journal } else { Format::Plain };
    copy.convert(other, true).unwrap();
    let trashed = copy.trash().unwrap();
    repository.trash().unwrap();
    repository.restore_from_trash(&trashed, &id).unwrap();
    copy.remove().unwrap();
    repository.sweep(false).unwrap();
}

#[test]
fn nobody_asks_for_the_times_of_what_a_writer_writes() {
    let scratch = tempfile::tempdir().unwrap();
    let mut dated = BTreeSet::new();
    traced::watch("times::child", "use", scratch.path(), |call| {
        dated.extend(asked_for_times(call).as_deref().and_then(name_in_session));
    });
    let written =
        |name: &&String| name.starts_with("session.journal-") || *name == "session.writer";
    assert_eq!(dated.iter().filter(written).count(), 0, "{dated:?}");
    // It sees those that may be asked for.
    assert!(dated.contains("session") && dated.contains("session.next"), "{dated:?}");
}

/// The file whose times this call asks for.
fn asked_for_times(call: &Call) -> Option<PathBuf> {
    let [first, second, _, mask, ..] = call.arguments;
    let at = |directory: u64, name: u64| {
        let name = call.text(name);
        match name.as_bytes() {
            [] => call.path_of(directory),
            [b'/', ..] => PathBuf::from(name),
            _ if directory as i32 == libc::AT_FDCWD => PathBuf::from(name),
            _ => call.path_of(directory).join(name),
        }
    };
    match call.number {
        libc::SYS_statx => {
            let times = u64::from(libc::STATX_MTIME | libc::STATX_CTIME);
            (mask & times != 0).then(|| at(first, second))
        }
        libc::SYS_newfstatat => Some(at(first, second)),
        libc::SYS_fstat => Some(call.path_of(first)),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_stat | libc::SYS_lstat => Some(PathBuf::from(call.text(first))),
        _ => None,
    }
}

/// What it is called, be it looked at by its name or through a descriptor in `/proc`.
fn name_in_session(path: &Path) -> Option<String> {
    let path = fs::read_link(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().map(OsStr::to_string_lossy)?;
    name.starts_with("session").then(|| name.into_owned())
}
