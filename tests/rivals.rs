//! Processes that want the same thing at once: nothing is lost, torn or stuck, and each is told the
//! truth. What they do is bounded by counts; waiting is for a pipe or an exit, never for luck.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use pitstop::{CreateOptions, Error, Format, Repository, Result, SessionId, Trashed};

use crate::traced;

/// Makes a test of each of these for each format.
macro_rules! on_both_formats {
    ($($test:ident),+ $(,)?) => {
        mod plain {
            $(#[test]
            fn $test() {
                super::$test(pitstop::Format::Plain);
            })+
        }
        mod journal {
            $(#[test]
            fn $test() {
                super::$test(pitstop::Format::Journal);
            })+
        }
    };
}

mod counting;
mod moving;
mod pairs;
mod threads;

/// Longer than any of these tests: whoever gets nowhere for so long is stuck.
const STUCK: Duration = Duration::from_secs(120);
/// What a child tells its parent begins with this; anything else on its stderr is for people.
const TOLD: &str = "@";

/// Not a test of its own: what the children of the tests below do.
#[test]
fn child() {
    let Some((task, place)) = traced::task() else { return };
    let repository = open(Path::new(&place));
    let words: Vec<&str> = task.split(' ').collect();
    match words[..] {
        ["obey"] => obey(&repository),
        ["count", me, seed, saves] => counting::count(
            &repository,
            me.parse().unwrap(),
            Random(seed.parse().unwrap()),
            saves.parse().unwrap(),
        ),
        ["go", "on", steps] => moving::go_on(&repository, steps.parse().unwrap()),
        ["make", sessions] => moving::make(&repository, sessions.parse().unwrap()),
        ["churn", name, rounds] => pairs::churn(&repository, name, rounds.parse().unwrap()),
        ["replace", rounds] => pairs::replace_again_and_again(&repository, rounds.parse().unwrap()),
        _ => panic!("no task {task}"),
    }
}

/// Its name says which format is kept there.
fn open(place: &Path) -> Repository {
    let is_plain = place.as_os_str().as_encoded_bytes().ends_with(b"plain");
    let format = if is_plain { Format::Plain } else { Format::Journal };
    Repository::open(place.join("sessions")).unwrap().with_format(format)
}

fn place(format: Format) -> (tempfile::TempDir, Repository) {
    let scratch = tempfile::Builder::new().suffix(&format!("-{format}")).tempdir().unwrap();
    let repository = open(scratch.path());
    (scratch, repository)
}

fn named(id: &str) -> CreateOptions {
    CreateOptions::new().id(SessionId::new(id).unwrap())
}

/// In one write, so that a kill leaves a whole line or none.
fn tell(what: &str) {
    std::io::stderr().write_all(format!("{TOLD}{what}\n").as_bytes()).unwrap();
}

/// The name of an error's variant, or what the operation gave.
fn told<T>(outcome: Result<T>, ok: impl FnOnce(T) -> String) -> String {
    match outcome {
        Ok(value) => format!("Ok {}", ok(value)).trim_end().to_owned(),
        Err(error) => {
            let text = format!("{error:?}");
            match text.split_once(' ') {
                // These need no more words; all others fail the test, which then shows them whole.
                Some((name @ ("NotFound" | "AlreadyExists" | "Busy" | "NoCheckpoint"), _)) => {
                    name.to_owned()
                }
                _ => text,
            }
        }
    }
}

/// xorshift64*: a sequence that its seed gives again.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }
}

/// `PITSTOP_TEST_SEED`, or another one each time.
fn seed() -> u64 {
    let seed = std::env::var("PITSTOP_TEST_SEED").ok().map(|seed| seed.parse().unwrap());
    let seed = seed.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_nanos() as u64 | 1
    });
    eprintln!("PITSTOP_TEST_SEED={seed}");
    seed
}

/// A child process that was told its task, and what it tells.
struct Rival {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Option<BufReader<ChildStderr>>,
}

impl Rival {
    fn start(task: &str, place: &Path) -> Self {
        let mut command = traced::command("rivals::child", task, place);
        let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let answers = child.stderr.take().map(BufReader::new);
        Self { orders: child.stdin.take(), answers, child }
    }

    fn order(&mut self, order: &str) {
        self.orders.as_mut().unwrap().write_all(format!("{order}\n").as_bytes()).unwrap();
    }

    fn answer(&mut self) -> String {
        next_told(self.answers.as_mut().unwrap()).expect("the child ended")
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Waits until it has done all that it was told, and all went well.
    fn end(mut self) {
        drop(self.orders.take());
        while next_told(self.answers.as_mut().unwrap()).is_some() {}
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next thing it tells; `None` at its end.
fn next_told(answers: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    while answers.read_line(&mut line).unwrap() > 0 {
        match line.trim_end().strip_prefix(TOLD) {
            Some(told) => return Some(told.to_owned()),
            None => eprint!("{line}"),
        }
        line.clear();
    }
    None
}

/// Does what it is told, line by line.
fn obey(repository: &Repository) {
    let mut held = None;
    for order in std::io::stdin().lines() {
        let order = order.unwrap();
        let words: Vec<&str> = order.split(' ').collect();
        let session = |id: &str| repository.get(id);
        tell(&match words[..] {
            ["create", id] => told(repository.create(&named(id)), |_| String::new()),
            ["generate"] => {
                let options = CreateOptions::new().prefix("job");
                told(repository.create(&options), |made| made.id().to_string())
            }
            ["get_or_create", id] => told(repository.get_or_create(id), |_| String::new()),
            ["save", id, data] => {
                told(session(id).and_then(|it| it.save(data.as_bytes())), |_| String::new())
            }
            ["hold", id] => told(session(id).and_then(|it| it.writer()), |writer| {
                held = Some(writer);
                String::new()
            }),
            ["write", data] => {
                told(held.as_mut().unwrap().save(data.as_bytes()), |_| String::new())
            }
            ["remove", id] => told(session(id).and_then(|it| it.remove()), |removal| {
                removal.remains.iter().map(|error| format!("{error:?}")).collect()
            }),
            ["trash", id] => told(session(id).and_then(|it| it.trash()), |_| String::new()),
            ["put_back", id] => {
                let put_back = trashed(repository, id)
                    .and_then(|it| repository.restore_from_trash(&it, &it.id));
                told(put_back, |_| String::new())
            }
            ["empty_trash", id] => {
                let emptied =
                    trashed(repository, id).and_then(|it| repository.delete_from_trash(&it));
                told(emptied, |_| String::new())
            }
            ["make_last", id] => {
                told(session(id).and_then(|it| it.make_last()), |()| String::new())
            }
            _ => panic!("no order {order}"),
        });
    }
}

fn trashed(repository: &Repository, id: &str) -> Result<Trashed> {
    let found = repository.trash()?.into_iter().find(|it| it.id.as_str() == id);
    let (id, place) = (SessionId::new(id)?, repository.location().to_owned());
    found.ok_or(Error::NotFound { id, repository: place })
}

/// Gives each rival its order at once, and waits for all answers.
fn race<const N: usize>(rivals: &mut [Rival; N], orders: [&str; N]) -> [String; N] {
    for (rival, order) in rivals.iter_mut().zip(orders) {
        rival.order(order);
    }
    rivals.each_mut().map(Rival::answer)
}

fn sorted<const N: usize>(mut answers: [String; N]) -> [String; N] {
    answers.sort();
    answers
}

/// Names in the repository's directory, hidden ones too.
fn entries(repository: &Repository) -> Vec<String> {
    names(repository.location())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn ids(repository: &Repository) -> HashSet<String> {
    let listing = repository.list().unwrap();
    assert!(listing.problems.is_empty(), "{:?}", listing.problems);
    listing.sessions.iter().map(|it| it.id.to_string()).collect()
}
/// Readers end also where the test fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn a_writer_that_is_stopped_keeps_its_place(format: Format) {
    let (scratch, repository) = place(format);
    let session = repository.get_or_create("job").unwrap();
    let mut rival = Rival::start("obey", scratch.path());
    rival.order("hold job");
    assert_eq!(rival.answer(), "Ok");
    kill(rival.pid(), Signal::SIGSTOP).unwrap();
    let stopped = waitpid(rival.pid(), Some(WaitPidFlag::WUNTRACED)).unwrap();
    assert_eq!(stopped, WaitStatus::Stopped(rival.pid(), Signal::SIGSTOP));
    match session.save(b"displaced") {
        Err(Error::Busy { owner: Some(owner), .. }) => assert_eq!(owner.pid, rival.child.id()),
        other => panic!("expected Busy with its owner, got {other:?}"),
    }
    assert!(matches!(session.remove(), Err(Error::Busy { .. })));
    assert!(matches!(session.unlock(), Err(Error::Busy { .. })));
    kill(rival.pid(), Signal::SIGCONT).unwrap();
    rival.order("write mine");
    assert_eq!(rival.answer(), "Ok");
    assert_eq!(session.load().unwrap().data, b"mine");
    kill(rival.pid(), Signal::SIGKILL).unwrap();
    rival.child.wait().unwrap();
    session.save(b"next").unwrap();
}

on_both_formats!(a_writer_that_is_stopped_keeps_its_place);
