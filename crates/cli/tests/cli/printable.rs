//! What comes from a disk steers no terminal and forges no line, whatever prints it.

use std::fs;
use std::path::Path;

use pitstop::{CopyOptions, CreateOptions, Format, Repository, Revision, SaveOptions, printable};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::json;

use super::environment::{Ended, Environment};

/// Ends a line, forges another, writes the clipboard, turns the direction of the text.
const EVIL: &str = "\u{1b}]52;c;eA==\u{7}\nother: idle\n\u{9b}31m\u{202e}";

/// A repository in which all that can bear a name bears an evil one.
fn evil(it: &Environment) -> std::path::PathBuf {
    let location = it.path().join(format!("here{EVIL}"));
    let repository = Repository::open(&location).unwrap();
    let options = SaveOptions::new().label(EVIL, EVIL).label("a", "b c\u{1b}");
    let save = |name: &str| {
        let session = repository.get_or_create(name).unwrap();
        session.save_with(b"1", &options).unwrap();
        session.location().unwrap()
    };
    let job = save("job");
    let record = json!({
        "host": EVIL, "boot_id": EVIL, "pid": 1, "start_time": 1, "program": EVIL, "since": 1,
    });
    fs::write(job.join("session.writer"), record.to_string()).unwrap();
    mknodat(CWD, job.join(format!("pipe{EVIL}")), FileType::Fifo, Mode::RUSR, 0).unwrap();
    save("bidi\u{202e}gnp.exe");
    save("gone\u{202e}");
    repository.get("gone\u{202e}").unwrap().trash().unwrap();
    let bad = save("bad");
    fs::write(bad.join("session.journal-0"), [7; 9000]).unwrap();
    fs::create_dir(bad.join(format!("session.journal-1{EVIL}"))).unwrap();
    let plain = CreateOptions::new().id("plain".parse().unwrap()).format(Format::Plain);
    let plain = repository.create(&plain).unwrap();
    plain.save(b"").unwrap();
    fs::create_dir(location.join(format!("x{EVIL}.session"))).unwrap();
    fs::write(location.join(format!("y{EVIL}.session")), "").unwrap();
    fs::write(location.join(format!("stray{EVIL}")), "").unwrap();
    location
}

#[track_caller]
fn is_printable(ended: &Ended, line: &str) {
    for text in [&ended.out, &ended.err] {
        let bad = text.lines().find(|it| printable(it) != *it || it.starts_with("other: idle"));
        assert_eq!(bad, None, "{line}: {ended}");
    }
}

#[test]
fn nothing_that_lies_on_a_disk_steers_a_terminal() {
    let it = Environment::new();
    let location = evil(&it);
    let other = it.path().join(format!("there{EVIL}"));
    let lines = [
        "status",
        "status job",
        "status --json",
        "list",
        "list --long",
        "list --json",
        "show job",
        "show job --json",
        "show plain",
        "show bad",
        "history job",
        "history bad",
        "load bad",
        "load none",
        "load job --revision 9",
        "verify",
        "verify job",
        "verify --json",
        "trash list",
        "trash list --json",
        "trash restore none",
        "unlock job",
        "remove --dry-run job",
        "remove none",
        "prune --dry-run --keep-newest 0",
        "last",
        "last none",
        "create job",
        "create new/name",
        "convert bad --to plain",
        "restore bad --newest-good",
        "sweep",
        "save bad",
        "save none",
    ];
    for line in lines {
        let words = line.split(' ');
        let mut command = it.command(super::environment::PITSTOP);
        command.args(words).env("PITSTOP_REPOSITORY", &location);
        is_printable(&it.ended(command.output().unwrap()), line);
    }
    for words in [&["copy", "job", "--to"][..], &["copy", "bad", "--to"], &["export", "job", "-o"]]
    {
        let mut command = it.command(super::environment::PITSTOP);
        command.args(words).arg(&other).env("PITSTOP_REPOSITORY", &location);
        is_printable(&it.ended(command.output().unwrap()), words[0]);
        let _ = fs::remove_dir_all(&other).or_else(|_| fs::remove_file(&other));
    }
}

#[test]
fn json_says_what_is_there_and_steers_nothing() {
    let it = Environment::new();
    let location = evil(&it);
    let mut command = it.command(super::environment::PITSTOP);
    command.args(["status", "job", "--json"]).env("PITSTOP_REPOSITORY", &location);
    let ended = it.ended(command.output().unwrap());
    is_printable(&ended, "status");
    assert_eq!(ended.json()["writer"]["owner"]["program"], EVIL);
}

#[test]
fn errors_of_the_library_can_be_printed() {
    let it = Environment::new();
    let location = evil(&it);
    let repository = Repository::open(&location).unwrap();
    let other = Repository::open(it.path().join("other")).unwrap();
    let mut errors = vec![
        repository.get("none").unwrap_err(),
        repository.create(&CreateOptions::new().id("job".parse().unwrap())).unwrap_err(),
        repository
            .get("bidi\u{202e}gnp.exe")
            .unwrap()
            .load_revision(Revision::from_number(9))
            .unwrap_err(),
        Repository::open(Path::new("\u{1b}\0")).unwrap_err(),
        repository.get("bad").unwrap().load().unwrap_err(),
    ];
    errors.extend(repository.list().unwrap().problems.into_iter().map(|it| it.error));
    let copied = repository.get("job").unwrap().copy_to(&other, CopyOptions::new()).unwrap();
    assert_eq!(copied.passed_over.len(), 1);
    for error in errors {
        let text = error.to_string();
        assert_eq!(printable(&text), text);
    }
}
