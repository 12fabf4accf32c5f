//! Repositories in which somebody laid links that lead out of them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::disk::{Quirk, SimulatedDisk};
use super::hook::{Action, HookedDisk, Operation};
use super::payload::payload;
use super::run::{Run, Wrap};
use super::scenario::{OUTSIDE, Scenario, scenarios};
use pitstop::seam::open_on;
use pitstop::{Error, Format, Repository, Result};

const LOCATION: &str = "/home/user/sessions";

/// Something that lies where it does not belong.
struct Trap {
    name: &'static str,
    lay: fn(&SimulatedDisk),
    /// Whether the session can be written in spite of it.
    is_writable: bool,
}

const fn trap(name: &'static str, is_writable: bool, lay: fn(&SimulatedDisk)) -> Trap {
    Trap { name, lay, is_writable }
}

const TRAPS: &[Trap] = &[
    trap("the session is a link", false, |disk| {
        for name in ["session", "session.writer", "session.journal", "session.journal-0"] {
            disk.delete(at("a.session/") + name);
        }
        disk.delete_directory(at("a.session"));
        disk.put_link(at("a.session"), format!("{OUTSIDE}/a.session"));
    }),
    trap("the checkpoint is a link", true, |disk| link(disk, "session", "a.session/session")),
    trap("the writer's file is a link", false, |disk| link(disk, "session.writer", "file")),
    trap("the writer's file is a dangling link", false, |disk| {
        link(disk, "session.writer", "nothing");
    }),
    trap("PlainBox's lock is a link", true, |disk| link(disk, "session.next", "file")),
    trap("PlainBox's lock is a dangling link", true, |disk| link(disk, "session.next", "nothing")),
    trap("the new checkpoint is a link", true, |disk| link(disk, "session.new", "file")),
    trap("the new checkpoint is a dangling link", true, |disk| {
        link(disk, "session.new", "nothing");
    }),
    trap("the new checkpoint and PlainBox's lock are the same file", true, |disk| {
        link(disk, "session.new", "file");
        link(disk, "session.next", "file");
    }),
    trap("what is replaced is outside", true, |disk| {
        link(disk, "session.replaces", "other.session");
    }),
    trap("the last session is outside", true, |disk| {
        disk.put_link(at("last-session"), format!("{OUTSIDE}/other.session"));
    }),
    trap("the last session is a link to outside", true, |disk| {
        disk.put_link(at("b.session"), format!("{OUTSIDE}/a.session"));
        disk.put_link(at("last-session"), at("b.session"));
    }),
    trap("the last session is a directory, and what is aside a link", true, |disk| {
        disk.put_directory(at("last-session"));
        disk.put_link(at(".last-session.aside-1"), format!("{OUTSIDE}/file"));
        disk.put_link(at(".last-session.aside-2"), format!("{OUTSIDE}/nothing"));
    }),
    trap("the new last session is outside", true, |disk| {
        disk.put_link(at(".a.last"), format!("{OUTSIDE}/a.session"));
    }),
    trap("what was removed is a link", true, |disk| {
        disk.put_link(at(".a.removed"), format!("{OUTSIDE}/a.session"));
    }),
    trap("what is in the trash is a link", true, |disk| {
        disk.put_link(at(".a.trash-2027-01-15T08.01.40.000000"), format!("{OUTSIDE}/a.session"));
        disk.put_link(at(".b.trash-2027-01-15T08.01.40.000000"), format!("{OUTSIDE}/nothing"));
    }),
    trap("what cannot be removed is aside", true, |disk| {
        disk.put_mount(at(".a.removed/mounted"));
        disk.put_link(at(".a.removed-1"), format!("{OUTSIDE}/a.session"));
        disk.put_link(at(".a.removed-2"), format!("{OUTSIDE}/nothing"));
    }),
    trap("the program's files are links", true, |disk| {
        link(disk, "directory", "a.session");
        link(disk, "below/file", "file");
        link(disk, "below/below/directory", "");
        link(disk, "below/below/self", "../user/sessions");
    }),
    trap("the lock is left over, and what is aside a link", true, |disk| {
        disk.put_file(at("a.session/session.next"), b"half");
        link(disk, "session.aside-1", "file");
        link(disk, "session.aside-2", "nothing");
    }),
];

/// For journals alone.
const JOURNAL_TRAPS: &[Trap] = &[
    trap("the mark of a journal is a link", true, |disk| link(disk, "session.journal", "file")),
    trap("the first segment is a link", false, |disk| link(disk, "session.journal-0", "file")),
    trap("a segment is a link", false, |disk| link(disk, "session.journal-1", "file")),
    trap("a segment is a dangling link", false, |disk| {
        link(disk, "session.journal-1", "nothing");
    }),
    trap("the new segment is a link", true, |disk| link(disk, "session.journal.new", "file")),
    trap("the new segment is a dangling link", true, |disk| {
        link(disk, "session.journal.new", "nothing");
    }),
    trap("a segment is damaged, and what is aside a link", true, |disk| {
        disk.put_file(at("a.session/session.journal-0"), b"lost");
        link(disk, "session.journal.aside-1", "file");
        link(disk, "session.journal.aside-2", "nothing");
    }),
];

fn at(name: &str) -> String {
    format!("{LOCATION}/{name}")
}

fn link(disk: &SimulatedDisk, name: &str, target: &str) {
    let path = at("a.session/") + name;
    disk.delete(&path);
    disk.put_link(path, format!("{OUTSIDE}/{target}"));
}

/// Does everything with each of these repositories: what is outside must not even be looked at. Says
/// how many there are.
pub(crate) fn containment(wrap: &Wrap) -> std::result::Result<usize, String> {
    let of = |traps: &'static [Trap], format| traps.iter().map(move |trap| (trap, format));
    let all = of(TRAPS, Format::Plain).chain(of(TRAPS, Format::Journal));
    let mut count = 0;
    for (trap, format) in all.chain(of(JOURNAL_TRAPS, Format::Journal)) {
        let wrong = |text| format!("{format}, {}: {text}", trap.name);
        check(trap, format, false, wrap).map_err(wrong)?;
        check(trap, format, true, wrap).map_err(wrong)?;
        let unwritable = Trap { is_writable: false, ..*trap };
        check(&unwritable, format, false, &without_renames(wrap)).map_err(wrong)?;
        count += 1;
    }
    Ok(count)
}

/// No new checkpoint can be put in place.
fn without_renames(wrap: &Wrap) -> Wrap {
    let inner = wrap.clone();
    Arc::new(move |disk| {
        Arc::new(HookedDisk::new(inner(disk), |call| match call.operation {
            Operation::Rename
                if call
                    .name
                    .is_some_and(|name| name == "session.new" || name == "session.journal.new") =>
            {
                Action::Fail(std::io::ErrorKind::StorageFull.into())
            }
            _ => Action::Pass,
        }))
    })
}

fn check(
    trap: &Trap,
    format: Format,
    removes_first: bool,
    wrap: &Wrap,
) -> std::result::Result<(), String> {
    let disk = SimulatedDisk::new();
    disk.put_file(format!("{OUTSIDE}/a.session/session"), b"outside");
    disk.put_directory(format!("{OUTSIDE}/other.session"));
    disk.put_file(format!("{OUTSIDE}/file"), b"outside");
    prepare(&disk, format).map_err(|error| format!("{error:?}"))?;
    (trap.lay)(&disk);
    disk.advance(Duration::from_secs(100));
    let outside = disk.digest_without(Path::new(LOCATION));
    let backend = open_on(wrap(disk.clone()), Path::new(LOCATION));
    let repository = Repository::with_backend(backend.map_err(|error| format!("open: {error:?}"))?);
    let aside = |names: &[&str]| -> Vec<_> {
        names.iter().filter_map(|name| disk.link_target(at(name))).collect()
    };
    let (before, in_session) = (aside(&ASIDE), aside(&ASIDE_IN_SESSION));
    if removes_first {
        let _ = repository.get("a").and_then(|session| session.remove());
    } else if let Err(error) = use_session(&repository)
        && trap.is_writable
    {
        return Err(format!("{error:?}"));
    }
    if !removes_first && !aside(&ASIDE_IN_SESSION).starts_with(&in_session) {
        return Err("something that was aside is gone".to_owned());
    }
    let _ = repository.get("a").and_then(|session| session.remove());
    use_trash(&repository).map_err(|error| format!("trash: {error:?}"))?;
    let good = repository.get("good").and_then(|session| session.load());
    if !good.is_ok_and(|good| *good.data == *payload(3)) {
        return Err("the other session does not load".to_owned());
    }
    if !repository.list().is_ok_and(|it| it.sessions.iter().any(|it| it.id.as_str() == "good")) {
        return Err("the other session is not listed".to_owned());
    }
    if disk.digest_without(Path::new(LOCATION)) != outside {
        return Err("something outside the repository changed".to_owned());
    }
    let has_mount = trap.name.contains("cannot be removed");
    if !has_mount && trap.is_writable && disk.names(LOCATION).contains(&".a.removed".into()) {
        return Err("something of the removed session is left".to_owned());
    }
    if disk.was_touched(Path::new(OUTSIDE)) {
        return Err("something outside the repository was looked at".to_owned());
    }
    if !aside(&ASIDE).starts_with(&before) {
        return Err("something that was aside is gone".to_owned());
    }
    Ok(())
}

/// Links that keep their places, those in the session until that is removed.
const ASIDE_IN_SESSION: [&str; 4] = [
    "a.session/session.aside-1",
    "a.session/session.aside-2",
    "a.session/session.journal.aside-1",
    "a.session/session.journal.aside-2",
];
const ASIDE: [&str; 4] =
    [".a.removed-1", ".a.removed-2", ".last-session.aside-1", ".last-session.aside-2"];

/// Puts a link to outside in place of each name just before it is used, for each call of a scenario.
/// Says how many calls these are.
pub(crate) fn races(scenario: &Scenario, wrap: &Wrap) -> std::result::Result<usize, String> {
    let mut number = 0;
    while race(scenario, wrap, number)? {
        number += 1;
    }
    Ok(number)
}

/// Lays a link before the call of this number. Says whether there is one.
fn race(scenario: &Scenario, wrap: &Wrap, number: usize) -> std::result::Result<bool, String> {
    let calls = Arc::new(AtomicUsize::new(0));
    let is_armed = Arc::new(AtomicBool::new(false));
    let (inner, count, armed) = (wrap.clone(), calls.clone(), is_armed.clone());
    let wrap: Wrap = Arc::new(move |disk| {
        let (count, armed) = (count.clone(), armed.clone());
        let laid = disk.clone();
        Arc::new(HookedDisk::new(inner(disk), move |call| {
            let looks = matches!(
                call.operation,
                Operation::OpenDirectory
                    | Operation::OpenFile
                    | Operation::CreateFile
                    | Operation::Link
                    | Operation::Metadata
            );
            if looks
                && call.name.is_some_and(|name| name != "..")
                && armed.load(Ordering::Relaxed)
                && count.fetch_add(1, Ordering::Relaxed) == number
            {
                laid.set_quirk(Quirk::LayLink(OUTSIDE));
            }
            Action::Pass
        }))
    });
    let wrong = |what: String| format!("{scenario}, a link before call {number}: {what}");
    let mut run = Run::of(scenario, &wrap).map_err(|error| wrong(format!("{error:?}")))?;
    let disk = run.disk.clone();
    let outside = disk.digest_below(Path::new(OUTSIDE));
    is_armed.store(true, Ordering::Relaxed);
    for step in scenario.steps.iter().filter(|step| !step.is_by_others()) {
        let _ = run.step(*step);
    }
    is_armed.store(false, Ordering::Relaxed);
    if disk.digest_below(Path::new(OUTSIDE)) != outside {
        return Err(wrong("something outside the repository changed".to_owned()));
    }
    if disk.was_touched(Path::new(OUTSIDE)) {
        return Err(wrong("something outside the repository was looked at".to_owned()));
    }
    Ok(calls.load(Ordering::Relaxed) > number)
}

/// What follows a certain revision overwrites no save of PlainBox, before whichever call that comes.
pub(crate) fn plainbox_is_kept_out(wrap: &Wrap) -> std::result::Result<(), String> {
    let is_fit = |it: &Scenario| {
        it.format == Format::Plain && ["conditional", "leftover-held"].contains(&it.name)
    };
    for scenario in scenarios().into_iter().filter(is_fit) {
        let mut number = 0;
        while plainbox_comes(&scenario, wrap, number)? {
            number += 1;
        }
    }
    Ok(())
}

/// PlainBox saves before the call of this number, if its lock is free. Says whether there is one. They
/// are counted from where the save begins: what is to be followed was read before.
fn plainbox_comes(
    scenario: &Scenario,
    wrap: &Wrap,
    number: usize,
) -> std::result::Result<bool, String> {
    const THEIRS: &[u8] = b"PlainBox's";
    let session = Path::new(scenario.location).join("a.session");
    let calls = Arc::new(AtomicUsize::new(0));
    let (is_armed, came) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (inner, count, armed, noted) =
        (wrap.clone(), calls.clone(), is_armed.clone(), came.clone());
    let place = session.clone();
    let wrap: Wrap = Arc::new(move |disk| {
        let (theirs, place) = (disk.clone(), place.clone());
        let (count, armed, noted) = (count.clone(), armed.clone(), noted.clone());
        Arc::new(HookedDisk::new(inner(disk), move |call| {
            let begins = call.name.is_some_and(|name| name == "session.new");
            if armed.load(Ordering::Relaxed)
                && (begins || count.load(Ordering::Relaxed) > 0)
                && count.fetch_add(1, Ordering::Relaxed) == number
                && !theirs.names(&place).contains(&"session.next".into())
            {
                theirs.put_file(place.join("session"), THEIRS);
                noted.store(true, Ordering::Relaxed);
            }
            Action::Pass
        }))
    });
    let wrong = |what: String| format!("{scenario}, PlainBox before call {number}: {what}");
    let mut run = Run::of(scenario, &wrap).map_err(|error| wrong(format!("{error:?}")))?;
    let step = scenario.steps.first().ok_or_else(|| wrong("it has no step".to_owned()))?;
    is_armed.store(true, Ordering::Relaxed);
    let outcome = run.step(*step);
    is_armed.store(false, Ordering::Relaxed);
    if came.load(Ordering::Relaxed)
        && run.disk.read(session.join("session")).as_deref() != Some(THEIRS)
    {
        return Err(wrong(format!("what it saved is lost: {outcome:?}")));
    }
    Ok(calls.load(Ordering::Relaxed) > number)
}

fn prepare(disk: &SimulatedDisk, format: Format) -> Result<()> {
    let repository = disk.repository(LOCATION)?.with_format(format);
    repository.get_or_create("a")?.save(&payload(2))?;
    repository.get_or_create("good")?.save(&payload(3))?;
    Ok(())
}

/// Puts the good session into the trash and takes it out again, and clears up.
fn use_trash(repository: &Repository) -> Result<()> {
    repository.sweep(true)?;
    let good = repository.get("good")?;
    good.would_remove()?;
    let trashed = good.trash()?;
    let all = repository.trash()?;
    assert!(all.iter().all(|it| it.id == trashed.id), "a link is in the trash: {all:?}");
    repository.restore_from_trash(&trashed, &trashed.id)?;
    repository.sweep(false).map(drop)
}

/// Everything that can be done with a session but to remove it; an error if it cannot be written.
fn use_session(repository: &Repository) -> Result<()> {
    let _ = (repository.last(), repository.list());
    let session = repository.get("a")?;
    let _ = (session.status(), session.load(), session.open_checkpoint());
    let saved = session.save(&payload(6));
    let _ = (session.make_last(), repository.last(), session.unlock());
    saved?;
    match *session.load()?.data == *payload(6) {
        true => Ok(()),
        false => Err(Error::NoCheckpoint { id: session.id().clone() }),
    }
}
