//! Where a repository is, by which paths it is found, and who may see what is in it.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use pitstop::{CreateOptions, Error, Format, Repository};

use crate::bad_entries::make_fifo;
use crate::watchdog::{child, run, within_time};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn modes_are_private_whatever_the_umask() {
    for umask in ["000", "022", "277", "777"] {
        let scratch = tempfile::tempdir().unwrap();
        let step = child("use", scratch.path());
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]);
        shell.arg(step.get_program()).args(step.get_args()).current_dir(scratch.path());
        shell.envs(step.get_envs().filter_map(|(name, value)| Some((name, value?))));
        run(shell);
        let mut modes = BTreeMap::new();
        for path in ["above", "above/sessions", "above/sessions/job.session"] {
            modes.insert(path.to_owned(), mode(&scratch.path().join(path)));
        }
        let session = scratch.path().join("above/sessions/job.session");
        for entry in fs::read_dir(session).unwrap() {
            let entry = entry.unwrap();
            modes.insert(entry.file_name().into_string().unwrap(), mode(&entry.path()));
        }
        let wanted = [
            ("above", 0o700),
            ("above/sessions", 0o700),
            ("above/sessions/job.session", 0o700),
            ("session", 0o600),
            ("session.writer", 0o600),
        ];
        let wanted = wanted.map(|(name, mode)| (name.to_owned(), mode));
        assert_eq!(modes, BTreeMap::from(wanted), "umask {umask}");
    }
}

#[test]
fn default_places_come_from_the_environment() {
    let scratch = tempfile::tempdir().unwrap();
    let rows: [(&[(&str, &str)], &str); 8] = [
        (&[("HOME", "/h")], "/h/.local/state/pitstop/sessions"),
        (&[("HOME", "/h/")], "/h/.local/state/pitstop/sessions"),
        (&[("HOME", "")], "/.local/state/pitstop/sessions"),
        (&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")], "/s/pitstop/sessions"),
        (&[("HOME", "/h"), ("XDG_STATE_HOME", "")], "/h/.local/state/pitstop/sessions"),
        (&[("HOME", "/h"), ("XDG_STATE_HOME", "s")], "/h/.local/state/pitstop/sessions"),
        (&[("HOME", "/h"), ("PITSTOP_REPOSITORY", "r")], "r"),
        (&[("HOME", "/h"), ("PITSTOP_REPOSITORY", "")], "/h/.local/state/pitstop/sessions"),
    ];
    for (environment, wanted) in rows {
        let mut step = child("locations", scratch.path());
        for name in ["HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "PITSTOP_REPOSITORY"] {
            step.env_remove(name);
        }
        run(step.envs(environment.iter().copied()));
        let said = fs::read_to_string(scratch.path().join("locations")).unwrap();
        assert_eq!(said.lines().nth(1), Some(wanted), "{environment:?}");
    }
    let plainbox: [(&[(&str, &str)], &str); 6] = [
        (&[("HOME", "/h")], "/h/.cache/plainbox/sessions"),
        (&[("HOME", "")], "/.cache/plainbox/sessions"),
        (&[("HOME", "h")], "h/.cache/plainbox/sessions"),
        (&[("HOME", "/h"), ("XDG_CACHE_HOME", "")], "/h/.cache/plainbox/sessions"),
        (&[("HOME", "/h"), ("XDG_CACHE_HOME", "/c")], "/c/plainbox/sessions"),
        (&[("HOME", "/h"), ("XDG_CACHE_HOME", "c")], "c/plainbox/sessions"),
    ];
    for (environment, wanted) in plainbox {
        let mut step = child("locations", scratch.path());
        step.env_remove("HOME").env_remove("XDG_CACHE_HOME");
        run(step.envs(environment.iter().copied()));
        let said = fs::read_to_string(scratch.path().join("locations")).unwrap();
        assert_eq!(said.lines().next(), Some(wanted), "{environment:?}");
    }
}

#[test]
fn a_repository_is_found_by_any_path_that_leads_to_it() {
    let scratch = tempfile::tempdir().unwrap();
    let base = scratch.path();
    let place = base.join("my sessions (größe)");
    Repository::open(&place)
        .unwrap()
        .with_format(Format::Plain)
        .get_or_create("job")
        .unwrap()
        .save(b"data")
        .unwrap();
    fs::create_dir(base.join("below")).unwrap();
    symlink(&place, base.join("link")).unwrap();
    symlink("link", base.join("below/../link to a link")).unwrap();
    let name = place.file_name().unwrap();
    let through = |path: &str| base.join(path).join(name);
    let ways = [
        place.clone(),
        place.join(""),
        base.join("link"),
        base.join("link/"),
        base.join("link to a link"),
        through("below/.."),
        through("."),
        through("below/../below/.././/"),
    ];
    for way in ways {
        let repository = Repository::open(&way).unwrap();
        let session = repository.get("job").unwrap();
        assert_eq!(session.load().unwrap().data, b"data", "{}", way.display());
        session.save(b"data").unwrap();
        session.make_last().unwrap();
        assert!(session.location().unwrap().join("session").is_file(), "{}", way.display());
        assert_eq!(repository.last().unwrap().unwrap().id(), session.id());
        let made = repository.create(&CreateOptions::new()).unwrap();
        assert!(place.join(made.location().unwrap().file_name().unwrap()).is_dir());
        made.remove().unwrap();
    }
    run(child("use", base));
    let relative =
        Repository::open(base.join("above/sessions")).unwrap().with_format(Format::Plain);
    assert_eq!(relative.last().unwrap().unwrap().load().unwrap().data, b"two");
    let link = fs::read_link(base.join("above/sessions/last-session")).unwrap();
    assert!(link.is_absolute(), "{}", link.display());
}

#[test]
fn a_place_that_cannot_be_a_repository_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let base = scratch.path();
    fs::write(base.join("file"), "kept").unwrap();
    make_fifo(&base.join("fifo"));
    symlink("nowhere", base.join("dangling")).unwrap();
    symlink("loop", base.join("loop")).unwrap();
    let base = base.to_owned();
    within_time(move || {
        for name in ["file", "file/below", "fifo", ""] {
            let path = if name.is_empty() { PathBuf::new() } else { base.join(name) };
            let error = Repository::open(path).unwrap_err();
            assert!(matches!(error, Error::InvalidLocation { .. }), "{name}: {error:?}");
        }
        let nul = base.join(OsStr::from_bytes(b"a\0b"));
        assert!(matches!(Repository::open(nul), Err(Error::InvalidLocation { .. })));
        assert!(Repository::open(base.join("loop")).is_err());
        // Nothing is there yet, and nothing is made until a session is.
        let missing =
            Repository::open(base.join("missing/sessions")).unwrap().with_format(Format::Plain);
        assert!(missing.list().unwrap().sessions.is_empty());
        assert!(missing.last().unwrap().is_none());
        assert!(matches!(missing.get("job"), Err(Error::NotFound { .. })));
        assert!(!base.join("missing").exists());
        let dangling = Repository::open(base.join("dangling")).unwrap();
        let error = dangling.get_or_create("job").unwrap_err();
        assert!(matches!(error, Error::InvalidLocation { .. }), "{error:?}");
        assert!(!base.join("nowhere").exists());
        assert_eq!(fs::read(base.join("file")).unwrap(), b"kept");
    });
    scratch.close().unwrap();
}
