//! One operation as a whole, before each system call of another one: what races show by chance, in
//! each order that two can come in.

use std::fs;
use std::io::Write;
use std::path::Path;

use pitstop::{CreateOptions, Error, Format, Repository, Result, SaveOptions, SessionId};

use crate::traced::{self, mark};

/// Not a test of its own: what the children of the tests below do.
#[test]
fn child() {
    let Some((task, place)) = traced::task() else { return };
    let repository = open(Path::new(&place));
    mark();
    let told = act(&repository, &task);
    mark();
    fs::write(Path::new(&place).join("told"), told).unwrap();
}

/// Its name says which format is kept there.
fn open(place: &Path) -> Repository {
    let is_plain = place.as_os_str().as_encoded_bytes().ends_with(b"plain");
    let format = if is_plain { Format::Plain } else { Format::Journal };
    Repository::open(place.join("sessions")).unwrap().with_format(format)
}

fn create(repository: &Repository, id: &str, replace: bool) -> Result<pitstop::Session> {
    let options = CreateOptions::new().id(SessionId::new(id).unwrap());
    repository.create(&if replace { options.replace_last() } else { options })
}

fn create_as(repository: &Repository, format: Format) -> Result<String> {
    let options = CreateOptions::new().id(SessionId::new("job").unwrap()).format(format);
    repository.create(&options).map(|_| String::new())
}

/// Does it and tells what came of it: a few words, or all of an error that should not be.
fn act(repository: &Repository, what: &str) -> String {
    let job = || repository.get("job");
    let outcome = match what {
        "create" => create(repository, "job", false).map(|_| String::new()),
        "create plain" => create_as(repository, Format::Plain),
        "create journal" => create_as(repository, Format::Journal),
        "save" => job().and_then(|it| it.save(b"saved")).map(|_| String::new()),
        "save after old" => job().and_then(|it| {
            let found = it.load()?;
            if found.data != b"old" {
                return Ok("too late".to_owned());
            }
            let options = SaveOptions::new().follows(found.info.revision);
            it.save_with(b"mine", &options).map(|_| String::new())
        }),
        "remove" => job()
            .and_then(|it| it.remove())
            .map(|it| it.remains.iter().map(|error| format!("{error:?}")).collect()),
        "make anew" => job()
            .and_then(|it| it.remove())
            .and_then(|_| create(repository, "job", false)?.save(b"anew"))
            .map(|_| String::new()),
        "replace" => {
            create(repository, "new", true).and_then(|it| it.save(b"new")).map(|_| String::new())
        }
        "make_last" => job().and_then(|it| it.make_last()).map(|()| String::new()),
        "load" => job().and_then(|it| it.load()).map(|it| String::from_utf8(it.data).unwrap()),
        "status" => {
            job().and_then(|it| it.status()).map(|it| format!("{:?}", it.summary.size.is_some()))
        }
        "last" => {
            repository.last().map(|it| it.map_or("none".to_owned(), |it| it.id().to_string()))
        }
        "list" => repository.list().map(|it| {
            let ids = it.sessions.iter().map(|it| format!("{} {}", it.id, it.size.is_some()));
            let mut ids: Vec<String> = ids.collect();
            ids.extend(it.problems.iter().map(|it| format!("{it:?}")));
            ids.sort();
            ids.join(", ")
        }),
        other => panic!("no act {other}"),
    };
    match outcome {
        Ok(told) => format!("Ok {told}").trim_end().to_owned(),
        Err(Error::NotFound { .. }) => "NotFound".to_owned(),
        Err(Error::AlreadyExists { .. }) => "AlreadyExists".to_owned(),
        Err(Error::Busy { .. }) => "Busy".to_owned(),
        Err(Error::Conflict { .. }) => "Conflict".to_owned(),
        Err(error) => format!("{error:?}"),
    }
}

/// Puts `other` before each call of `act` in turn. What either tells has to be one of its words, and
/// what is left must be whole.
fn interleave(one: (&str, &[&str]), other: (&str, &[&str])) {
    for format in [Format::Plain, Format::Journal] {
        interleave_in(format, one, other);
    }
}

fn interleave_in(format: Format, one: (&str, &[&str]), other: (&str, &[&str])) {
    let mut at = 0;
    loop {
        // Nothing here is about what lasts, and memory is fast.
        let suffix = format!("-{format}");
        let mut scratch = tempfile::Builder::new();
        let scratch = scratch.suffix(&suffix);
        let scratch = scratch.tempdir_in("/dev/shm").or_else(|_| scratch.tempdir()).unwrap();
        let repository = open(scratch.path());
        repository.get_or_create("other").unwrap().save(b"other").unwrap();
        if one.0 != "create" {
            create(&repository, "job", true).unwrap().save(b"old").unwrap();
        }
        let mut meanwhile = String::new();
        let command = traced::command("interleaved::child", one.0, scratch.path());
        let reached = traced::pause(command, at, || meanwhile = act(&repository, other.0));
        let told = fs::read_to_string(scratch.path().join("told")).unwrap();
        let when = format!("{format}: {} before call {at} of {}", other.0, one.0);
        assert!(one.1.contains(&told.as_str()), "{when}: {told}");
        if !reached {
            assert!(at > 3, "{when}");
            return eprintln!("{format}: {} before each of {at} calls of {}", other.0, one.0);
        }
        assert!(other.1.contains(&meanwhile.as_str()), "{when}: {meanwhile}");
        assert!(told.starts_with("Ok") || meanwhile.starts_with("Ok"), "{when}: neither was done");
        whole(&repository, &when);
        at += 1;
    }
}

fn whole(repository: &Repository, when: &str) {
    let listing = repository.list().unwrap();
    assert!(listing.problems.is_empty(), "{when}: {:?}", listing.problems);
    assert!(listing.sessions.iter().all(|it| !it.live), "{when}");
    assert_eq!(repository.get("other").unwrap().load().unwrap().data, b"other", "{when}");
    let job = repository.get_or_create("job").unwrap();
    job.save(b"goes on").unwrap();
    assert_eq!(job.load().unwrap().data, b"goes on", "{when}");
    job.remove().unwrap();
    for entry in fs::read_dir(repository.location()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = ["last-session", "new.session", "other.session"].contains(&name.as_str());
        assert!(known, "{when}: {name} is left");
    }
}

/// Of two that make the same session in different formats one succeeds, and it is as that one asked.
#[test]
fn a_creation_and_another_of_another_format() {
    let formats = [(Format::Plain, "create plain"), (Format::Journal, "create journal")];
    for ((format, one), (other_format, other)) in
        [(formats[0], formats[1]), (formats[1], formats[0])]
    {
        for at in 0.. {
            let scratch = tempfile::tempdir().unwrap();
            let repository = open(scratch.path());
            let mut meanwhile = String::new();
            let command = traced::command("interleaved::child", one, scratch.path());
            if !traced::pause(command, at, || meanwhile = act(&repository, other)) {
                assert!(at > 10);
                break;
            }
            let told = fs::read_to_string(scratch.path().join("told")).unwrap();
            let expected = match (told.as_str(), meanwhile.as_str()) {
                ("Ok", "AlreadyExists") => format,
                ("AlreadyExists", "Ok") => other_format,
                both => panic!("{one}, call {at}: {both:?}"),
            };
            let job = repository.get("job").unwrap();
            assert_eq!(job.status().unwrap().summary.format, expected, "{one}, call {at}");
        }
    }
}

const DONE: (&str, &[&str]) = ("", &["Ok", "NotFound", "Busy", "AlreadyExists"]);

#[test]
fn a_save_and_another_operation() {
    for other in ["remove", "make anew", "save", "replace"] {
        interleave(("save", DONE.1), (other, DONE.1));
    }
}

#[test]
fn a_removal_and_another_operation() {
    for other in ["save", "remove", "make anew", "create", "make_last"] {
        interleave(("remove", DONE.1), (other, DONE.1));
    }
}

#[test]
fn a_creation_and_another_operation() {
    for other in ["create", "save", "remove", "make anew"] {
        interleave(("create", DONE.1), (other, DONE.1));
    }
}

#[test]
fn making_the_last_session_and_another_operation() {
    for other in ["remove", "make anew", "make_last", "replace"] {
        interleave(("make_last", DONE.1), (other, DONE.1));
    }
}

#[test]
fn looking_and_another_operation() {
    let loaded = ["Ok old", "Ok anew", "Ok saved", "NotFound"];
    for other in ["remove", "make anew", "save"] {
        interleave(("load", &loaded), (other, DONE.1));
    }
    for other in ["remove", "save"] {
        interleave(("status", &["Ok true", "NotFound"]), (other, DONE.1));
    }
    let listed = ["Ok job true, other true", "Ok other true"];
    for other in ["remove", "save", "make_last"] {
        interleave(("list", &listed), (other, DONE.1));
    }
    interleave(("last", &["Ok job", "Ok new"]), ("replace", DONE.1));
}

/// A save by PlainBox's protocol, in one go. Gives whether it was made.
fn save_as_plainbox(location: &Path) -> bool {
    let (next, session) = (location.join("session.next"), location.join("session"));
    let Ok(mut file) = fs::File::create_new(&next) else { return false };
    file.write_all(b"PlainBox's").unwrap();
    fs::rename(next, session).unwrap();
    true
}

/// What follows a certain checkpoint overwrites no other, not even one of PlainBox that came a moment ago.
#[test]
fn a_save_that_follows_a_revision_and_one_of_plainbox() {
    let (mut before, mut locked, mut after) = (0, 0, 0);
    for at in 0.. {
        let scratch = tempfile::Builder::new().suffix("-plain").tempdir().unwrap();
        let repository = open(scratch.path());
        let job = create(&repository, "job", true).unwrap();
        job.save(b"old").unwrap();
        let location = job.location().unwrap();
        let command = traced::command("interleaved::child", "save after old", scratch.path());
        let mut theirs = false;
        let reached = traced::pause(command, at, || theirs = save_as_plainbox(&location));
        if !reached {
            break;
        }
        let told = fs::read_to_string(scratch.path().join("told")).unwrap();
        let found = job.load().unwrap().data;
        match (theirs, told.as_str(), found.as_slice()) {
            (true, "Conflict" | "Ok too late", b"PlainBox's") => before += 1,
            (true, "Ok", b"PlainBox's") => after += 1,
            (false, "Ok", b"mine") => locked += 1,
            (..) => panic!("before call {at}: {theirs}, {told}, {}", found.escape_ascii()),
        }
        let left: Vec<_> =
            fs::read_dir(&location).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "before call {at}: {left:?}");
    }
    assert!(before > 0 && locked > 0 && after > 0, "{before} {locked} {after}");
}
