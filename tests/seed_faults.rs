//! The faults of PlainBox's storage, by the numbers of docs/compatibility.md: each test fails if Pitstop
//! comes to have that fault. What takes a failing or a dying machine is elsewhere: see the tables there.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use pitstop::{CreateOptions, Error, Format, Repository, Session, SessionId, Step, WriterState};

use crate::watchdog::{as_nobody, child, run, within_time};

fn repository() -> (tempfile::TempDir, Repository) {
    let scratch = tempfile::tempdir().unwrap();
    let repository =
        Repository::open(scratch.path().join("sessions")).unwrap().with_format(Format::Plain);
    (scratch, repository)
}

fn saved(repository: &Repository, id: &str) -> Session {
    let session = repository.get_or_create(id).unwrap();
    session.save(id.as_bytes()).unwrap();
    session
}

fn replacing(id: &str) -> CreateOptions {
    CreateOptions::new().id(SessionId::new(id).unwrap()).replace_last()
}

fn directory_with_a_file(path: PathBuf) -> PathBuf {
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("session"), "precious").unwrap();
    path.join("session")
}

/// The link is read from the repository, not from wherever the program happens to be.
#[test]
fn d1_nothing_in_the_current_directory_is_removed_through_the_last_link() {
    let (scratch, repository) = repository();
    saved(&repository, "old");
    symlink("old.session", repository.location().join("last-session")).unwrap();
    let bystander = directory_with_a_file(scratch.path().join("old.session"));
    run(child("replace the last session", scratch.path()));
    assert!(bystander.exists());
    assert!(matches!(repository.get("old"), Err(Error::NotFound { .. })));
    assert_eq!(repository.last().unwrap().unwrap().id().as_str(), "new");
}

#[test]
fn d2_nothing_outside_is_removed_through_the_last_link() {
    for target in ["elsewhere", "elsewhere/", "../elsewhere.session", "", "/", "link/", "."] {
        let (scratch, repository) = repository();
        let other = saved(&repository, "other");
        let precious = ["elsewhere", "elsewhere.session"]
            .map(|it| directory_with_a_file(scratch.path().join(it)));
        let here = repository.location();
        symlink(scratch.path().join("elsewhere"), here.join("link")).unwrap();
        let text = match target {
            "" => here.to_owned(),
            "link/" => here.join("link/"),
            _ => scratch.path().join(target),
        };
        symlink(&text, here.join("last-session")).unwrap();
        let new = repository.create(&replacing("new")).unwrap();
        new.save(b"new").unwrap();
        assert_eq!(repository.last().unwrap().unwrap().load().unwrap().data, b"new");
        assert_eq!(other.load().unwrap().data, b"other", "{}", text.display());
        assert!(precious.iter().all(|it| it.exists()), "{}", text.display());
        assert_eq!(fs::read_dir(here.join("link")).unwrap().count(), 1);
    }
}

#[test]
fn d3_the_old_checkpoint_can_be_resumed_until_the_new_session_has_one() {
    let (_scratch, repository) = repository();
    repository.create(&replacing("old")).unwrap().save(b"old").unwrap();
    let resumed = || repository.last().unwrap().unwrap().load().unwrap().data;
    for abandoned in ["first", "second"] {
        repository.create(&replacing(abandoned)).unwrap();
        assert_eq!(resumed(), b"old");
    }
    repository.get("second").unwrap().save(b"new").unwrap();
    assert_eq!(resumed(), b"new");
    assert!(matches!(repository.get("old"), Err(Error::NotFound { .. })));
}

#[test]
fn d4_there_is_a_session_to_resume_at_every_moment() {
    let (_scratch, repository) = repository();
    repository.create(&replacing("first")).unwrap().save(b"data").unwrap();
    let link = repository.location().join("last-session");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                assert!(fs::read_link(&link).is_ok(), "the link is gone");
            }
        });
        let switching = scope.spawn(|| {
            for _ in 0..100 {
                let session = repository.create(&CreateOptions::new().replace_last()).unwrap();
                session.save(b"data").unwrap();
                assert_eq!(repository.last().unwrap().unwrap().id(), session.id());
            }
        });
        let outcome = switching.join();
        done.store(true, Ordering::Relaxed);
        outcome.unwrap();
    });
    assert_eq!(repository.list().unwrap().sessions.len(), 1);
}

/// A file that may not grow stands for a disk that is full.
#[test]
fn d5_a_write_that_fails_says_why_and_is_soon_forgotten() {
    let (scratch, repository) = repository();
    saved(&repository, "job");
    let step = child("save more than may be written", scratch.path());
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"]);
    shell.arg(step.get_program()).args(step.get_args()).current_dir(scratch.path());
    shell.envs(step.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run(shell);
    let session = repository.get("job").unwrap();
    assert_eq!(session.load().unwrap().data, b"less");
    assert_eq!(files(&session), ["session", "session.writer"]);
}

fn files(session: &Session) -> Vec<String> {
    let entries = fs::read_dir(session.location().unwrap()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn d6_a_checkpoint_that_cannot_be_put_in_place_is_no_success() {
    let (_scratch, repository) = repository();
    let session = repository.get_or_create("job").unwrap();
    let place = session.session_file().unwrap();
    fs::create_dir(&place).unwrap();
    let mut writer = session.writer().unwrap();
    for _ in 0..2 {
        match writer.save(b"data").unwrap_err() {
            Error::Storage { step: Step::Rename, path: named, source } => {
                assert_eq!((named, source.raw_os_error()), (place.clone(), Some(21)));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(files(&session), ["session", "session.writer"]);
    }
    fs::remove_dir(&place).unwrap();
    writer.save(b"data").unwrap();
    assert_eq!(session.load().unwrap().data, b"data");
}

/// Killed at any moment, by Ctrl-C or otherwise: the last whole checkpoint stands, and nobody has to break
/// anything.
#[test]
fn d9_d11_a_killed_writer_loses_nothing_and_blocks_nobody() {
    let (scratch, repository) = repository();
    let session = saved(&repository, "job");
    for round in 0..12u32 {
        let mut step = child("save again and again", scratch.path());
        let mut process = step.stdout(Stdio::null()).spawn().unwrap();
        // It is in the middle of saving: how far it comes is left to chance.
        let before = session.load().unwrap().info.revision;
        while session.load().unwrap().info.revision == before {
            assert!(process.try_wait().unwrap().is_none(), "it ended by itself");
        }
        let signal = if round % 2 == 0 {
            rustix::process::Signal::KILL
        } else {
            rustix::process::Signal::TERM
        };
        let id = rustix::process::Pid::from_child(&process);
        rustix::process::kill_process(id, signal).unwrap();
        process.wait().unwrap();
        let data = session.load().unwrap().data;
        assert!(data.len() == 100_000 && data.iter().all(|byte| *byte == data[0]));
        let state = session.status().unwrap().writer;
        assert!(matches!(state, WriterState::Interrupted(_) | WriterState::Idle), "{state:?}");
        session.save(b"here").unwrap();
        assert_eq!(session.load().unwrap().data, b"here");
        assert_eq!(files(&session), ["session", "session.writer"]);
    }
}

#[test]
fn d20_a_session_in_use_is_not_removed_by_the_one_that_replaces_it() {
    let (_scratch, repository) = repository();
    let old = repository.create(&replacing("old")).unwrap();
    let mut writer = old.writer().unwrap();
    writer.save(b"old").unwrap();
    let new = repository.create(&replacing("new")).unwrap();
    new.save(b"new").unwrap();
    assert_eq!(repository.last().unwrap().unwrap().id(), new.id());
    writer.save(b"still here").unwrap();
    assert!(matches!(old.remove(), Err(Error::Busy { .. })));
    drop(writer);
    assert_eq!(old.load().unwrap().data, b"still here");
}

#[test]
fn d21_a_file_that_is_refused_leaks_no_descriptor() {
    let scratch = tempfile::tempdir().unwrap();
    within_time(move || run(child("be refused many times", scratch.path())));
}

#[test]
fn l6_never_saved_is_told_from_empty() {
    let (_scratch, repository) = repository();
    let session = repository.get_or_create("job").unwrap();
    assert!(matches!(session.load(), Err(Error::NoCheckpoint { .. })));
    assert_eq!(session.status().unwrap().summary.size, None);
    session.save(b"").unwrap();
    assert_eq!(session.load().unwrap().data, b"");
    assert_eq!(session.status().unwrap().summary.size, Some(0));
}

#[test]
fn l7_what_cannot_be_removed_is_told() {
    let (scratch, repository) = repository();
    let session = saved(&repository, "gone");
    session.remove().unwrap();
    assert!(matches!(session.remove(), Err(Error::NotFound { .. })));

    // A directory that its owner may not change keeps its file; all else goes.
    let session = saved(&repository, "job");
    let fixed = session.location().unwrap().join("a/fixed");
    fs::create_dir_all(&fixed).unwrap();
    fs::write(fixed.join("file"), "").unwrap();
    fs::write(session.location().unwrap().join("free"), "").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o500);
    fs::set_permissions(&fixed, mode).unwrap();
    if !as_nobody("remove what can be removed", scratch.path()) {
        return;
    }
    let said = fs::read_to_string(scratch.path().join("remains")).unwrap();
    let left = repository.location().join(".job.removed/a/fixed/file");
    assert_eq!(said, format!("cannot remove {}\n", left.display()));
    assert!(left.exists() && repository.list().unwrap().sessions.is_empty());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(left.parent().unwrap(), mode).unwrap();
}

#[test]
fn l8_an_id_never_leads_out_of_the_repository() {
    let (scratch, repository) = repository();
    let precious = directory_with_a_file(scratch.path().join("evil.session"));
    saved(&repository, "job");
    for id in ["../evil", "..", ".", "/etc", "job.session/../../evil", "a\0b", ""] {
        assert!(matches!(repository.get(id), Err(Error::InvalidId { .. })), "{id:?}");
        assert!(matches!(repository.get_or_create(id), Err(Error::InvalidId { .. })), "{id:?}");
    }
    let options = CreateOptions::new().prefix("../../evil");
    let made = repository.create(&options).unwrap().location().unwrap();
    assert_eq!(made.parent().unwrap(), repository.location());
    assert!(precious.exists());
}

#[test]
fn l9_the_session_saved_last_is_listed_first_whatever_else_changed_in_it() {
    let (_scratch, repository) = repository();
    for (id, age) in [("older", 20), ("oldest", 30), ("newest", 10)] {
        let session = saved(&repository, id);
        let time = SystemTime::now() - Duration::from_secs(age);
        let file = File::options().write(true).open(session.session_file().unwrap()).unwrap();
        file.set_modified(time).unwrap();
    }
    fs::write(repository.get("oldest").unwrap().location().unwrap().join("log"), "").unwrap();
    let listing = repository.list().unwrap();
    let ids: Vec<&str> = listing.sessions.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["newest", "older", "oldest"]);
}

#[test]
fn l10_an_unusable_repository_is_an_error_and_never_another_place() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "").unwrap();
    for _ in 0..2 {
        let mut step = child("locations", scratch.path());
        run(step.env("PITSTOP_REPOSITORY", &file));
        let said = fs::read_to_string(scratch.path().join("locations")).unwrap();
        let location = said.lines().nth(1).unwrap();
        assert_eq!(Path::new(location), file);
        assert!(matches!(Repository::open(location), Err(Error::InvalidLocation { .. })));
    }
}

#[test]
fn l11_a_payload_that_is_cut_short_hides_no_session() {
    let (_scratch, repository) = repository();
    let fixture = "tests/fixtures/plainbox-0.4/pbox-run.session/session";
    let whole = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(fixture)).unwrap();
    saved(&repository, "good");
    let cut = repository.get_or_create("cut").unwrap();
    for length in [0, 1, 9, 10, whole.len() - 8, whole.len() - 1] {
        fs::write(cut.session_file().unwrap(), &whole[..length]).unwrap();
        let listing = repository.list().unwrap();
        assert_eq!((listing.sessions.len(), listing.problems.len()), (2, 0));
        assert_eq!(cut.load().unwrap().data, &whole[..length]);
    }
}

#[test]
fn l12_a_listing_reads_no_payload() {
    let (_scratch, repository) = repository();
    let session = repository.get_or_create("job").unwrap();
    // More than there is memory, and nothing of it on the disk.
    let size = 1 << 42;
    File::create(session.session_file().unwrap()).unwrap().set_len(size).unwrap();
    within_time(move || {
        let listing = repository.list().unwrap();
        assert_eq!(listing.sessions[0].size, Some(size));
        assert_eq!(session.status().unwrap().summary.size, Some(size));
    });
}

/// docs/compatibility.md names the test of each fault: they are all there, and so are all the numbers.
#[test]
fn the_tests_that_the_documentation_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/compatibility.md")).unwrap();
    let modules = [
        "bad_entries",
        "locations",
        "plainbox",
        "plainbox/fixtures",
        "plainbox/rivals",
        "rivals/threads",
        "seed_faults",
    ];
    let sources =
        modules.map(|it| fs::read_to_string(root.join(format!("tests/{it}.rs"))).unwrap());
    let mut named = 0;
    for name in text.split('`').skip(1).step_by(2).filter(|it| it.contains("::")) {
        let (path, test) = name.rsplit_once("::").unwrap();
        if let Some(module) = modules.iter().position(|it| *it == path.replace("::", "/")) {
            assert!(sources[module].contains(&format!("fn {test}(")), "there is no test {name}");
            named += 1;
        }
    }
    assert!(named > 30);
    let faults =
        (1..=26).map(|n| format!("\n| D{n} |")).chain((1..=12).map(|n| format!("\n| L{n} |")));
    for row in faults {
        assert_eq!(text.matches(&row).count(), 1, "{row}");
    }
}
