//! What the tests run in a process of its own. See [`child`](crate::watchdog::child).

use std::fs;

use pitstop::{CreateOptions, Error, Format, Repository, SessionId, Step};
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::watchdog;

#[test]
fn runs_the_step_it_was_started_for() {
    match watchdog::step().as_deref() {
        None => (),
        Some("locations") => locations(),
        Some("use") => use_it("above/sessions", "job"),
        Some("list") => list(),
        Some("replace the last session") => use_it("sessions", "new"),
        Some("save more than may be written") => save_too_much(),
        Some("save again and again") => save_again_and_again(),
        Some("save until nothing is new") => save_for_long(),
        Some("be refused many times") => be_refused(),
        Some("remove what can be removed") => remove(),
        Some(step) => panic!("no such step: {step}"),
    }
}

fn locations() {
    let line = |place: pitstop::Result<std::path::PathBuf>| match place {
        Ok(place) => place.into_os_string().into_string().unwrap(),
        Err(error) => format!("error: {error}"),
    };
    let plainbox = line(Repository::plainbox_location());
    let default = line(Repository::default_location());
    fs::write("locations", format!("{plainbox}\n{default}")).unwrap();
}

fn use_it(repository: &str, id: &str) {
    let repository = Repository::open(repository).unwrap().with_format(Format::Plain);
    let options = CreateOptions::new().id(SessionId::new(id).unwrap()).replace_last();
    let session = repository.create(&options).unwrap();
    session.save(b"one").unwrap();
    session.save(b"two").unwrap();
    session.make_last().unwrap();
}

fn list() {
    let here = std::env::current_dir().unwrap();
    let short = |error: Error| error.to_string().replace(&format!("{}/", here.display()), "");
    let repository = Repository::open("sessions").unwrap().with_format(Format::Plain);
    let listing = repository.list().unwrap();
    let mut said = String::new();
    for problem in listing.problems {
        said += &format!("{}: {}\n", problem.name, short(problem.error));
    }
    let mut ids: Vec<_> = listing.sessions.into_iter().map(|it| it.id).collect();
    ids.sort();
    for id in ids {
        said += &format!("{id}\n");
    }
    for id in ["closed", "shut"] {
        let error = repository.get(id).unwrap().load().unwrap_err();
        said += &format!("load {id}: {}\n", short(error));
    }
    fs::write("list", said).unwrap();
}

fn save_too_much() {
    let session = Repository::open("sessions").unwrap().get("job").unwrap();
    let mut writer = session.writer().unwrap();
    for _ in 0..2 {
        match writer.save(&[0; 1_000_000]).unwrap_err() {
            Error::Storage { step: Step::Write, source, .. } => {
                assert_eq!(source.kind(), std::io::ErrorKind::FileTooLarge);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(session.load().unwrap().data, b"job");
    }
    writer.save(b"less").unwrap();
}

fn save_again_and_again() {
    let session = Repository::open("sessions").unwrap().get("job").unwrap();
    let mut writer = session.writer().unwrap();
    for number in 0.. {
        writer.save(&[number as u8; 100_000]).unwrap();
    }
}

/// How many bytes 1000 saves of 4 KiB write, and with how many calls, after as many as it takes for
/// segments to go round.
fn save_for_long() {
    let session = Repository::open("sessions").unwrap().get("job").unwrap();
    let mut writer = session.writer().unwrap();
    let mut save = |numbers: std::ops::Range<u32>| {
        for number in numbers {
            let noise = (0..1024_u32).map(|at| (number * 1024 + at).wrapping_mul(2_654_435_761));
            writer.save(&noise.flat_map(u32::to_le_bytes).collect::<Vec<_>>()).unwrap();
        }
    };
    let written = || {
        let text = fs::read_to_string("/proc/self/io").unwrap();
        let number = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().parse::<u64>().unwrap()
        };
        (number("wchar:"), number("syscw:"))
    };
    save(0..1500);
    let before = written();
    save(1500..2500);
    let after = written();
    fs::write("written", format!("{} {}", after.0 - before.0, after.1 - before.1)).unwrap();
}

fn be_refused() {
    let repository = Repository::open("sessions").unwrap().with_format(Format::Plain);
    let session = repository.get_or_create("job").unwrap();
    let location = session.location().unwrap();
    let fifo = |name: &str| {
        mknodat(CWD, location.join(name), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    };
    let open_files = || fs::read_dir("/proc/self/fd").unwrap().count();
    fifo("session");
    fs::remove_file(location.join("session.writer")).unwrap();
    fifo("session.writer");
    let before = open_files();
    for _ in 0..100 {
        assert!(session.load().is_err() && session.status().is_err() && session.save(b"").is_err());
        assert_eq!(repository.list().unwrap().problems.len(), 1);
    }
    assert_eq!(open_files(), before);
}

fn remove() {
    let session = Repository::open("sessions").unwrap().get("job").unwrap();
    let remains = session.remove().unwrap().remains;
    fs::write("remains", remains.iter().map(|it| format!("{it}\n")).collect::<String>()).unwrap();
}
