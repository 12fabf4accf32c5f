//! Processes that want the same thing at once: nothing is lost, torn or stuck, and each is told the
//! truth. What they do is bounded by counts; waiting is for a pipe or an exit, never for luck.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use pitstop::{
    Checkpoint, CreateOptions, Digest, Error, Repository, Result, SaveOptions, Session, SessionId,
};

use crate::traced;

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
        ["count", me, seed, saves] => count(
            &repository,
            me.parse().unwrap(),
            Random(seed.parse().unwrap()),
            saves.parse().unwrap(),
        ),
        ["churn", name, rounds] => churn(&repository, name, rounds.parse().unwrap()),
        ["replace", rounds] => replace_again_and_again(&repository, rounds.parse().unwrap()),
        _ => panic!("no task {task}"),
    }
}

fn open(place: &Path) -> Repository {
    Repository::open(place.join("sessions")).unwrap()
}

fn place() -> (tempfile::TempDir, Repository) {
    let scratch = tempfile::tempdir().unwrap();
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
            ["make_last", id] => {
                told(session(id).and_then(|it| it.make_last()), |()| String::new())
            }
            _ => panic!("no order {order}"),
        });
    }
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
    let entries = std::fs::read_dir(repository.location()).unwrap();
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

// Writers on one session, one of them killed now and then.

const WRITERS: usize = 4;
const MOST_LIVES: usize = 40;

/// What the counting writers save: it describes itself, so that a torn or mixed one is seen.
struct Tally {
    /// How many saves came before, and this one.
    total: u64,
    /// How many of them each life of a writer made.
    each: Vec<u64>,
}

impl Tally {
    /// total, who, length of the filling, one count for each life, filling, digest of all that.
    fn to_bytes(&self, me: u64, filling: u64) -> Vec<u8> {
        let mut bytes: Vec<u8> =
            [self.total, me, filling].iter().flat_map(|n| n.to_le_bytes()).collect();
        bytes.extend(self.each.iter().flat_map(|n| n.to_le_bytes()));
        let pattern = (self.total * 31 + me).to_le_bytes();
        bytes.extend(pattern.iter().cycle().take(filling as usize));
        let digest = Digest::of(&bytes).as_u128().to_le_bytes();
        bytes.extend(digest);
        bytes
    }

    fn from_checkpoint(checkpoint: &Checkpoint) -> Self {
        let (bytes, digest) = checkpoint.data.split_at(checkpoint.data.len() - 16);
        assert!(
            digest == Digest::of(bytes).as_u128().to_le_bytes(),
            "a torn checkpoint was loaded"
        );
        let (numbers, filling) = bytes.split_at(8 * (3 + MOST_LIVES));
        let mut numbers =
            numbers.chunks_exact(8).map(|n| u64::from_le_bytes(n.try_into().unwrap()));
        let [total, me, length] = std::array::from_fn(|_| numbers.next().unwrap());
        let pattern = (total * 31 + me).to_le_bytes();
        assert_eq!(filling.len() as u64, length);
        assert!(filling.iter().eq(pattern.iter().cycle().take(filling.len())));
        let each: Vec<u64> = numbers.collect();
        assert_eq!(each.iter().sum::<u64>(), total);
        Self { total, each }
    }

    fn of(session: &Session) -> Result<(Self, Checkpoint)> {
        match session.load() {
            Ok(checkpoint) => Ok((Self::from_checkpoint(&checkpoint), checkpoint)),
            Err(error) => Err(error),
        }
    }
}

/// Counts one up, again and again: by naming the revision it follows, or by being the writer.
fn count(repository: &Repository, me: u64, mut random: Random, saves: u64) {
    let session = repository.get("job").unwrap();
    let mut done = 0;
    let mut progress = Instant::now();
    while done < saves {
        assert!(progress.elapsed() < STUCK, "no save came through for too long");
        let outcome = if random.below(2) == 0 {
            count_if_nobody_else_did(&session, me, &mut random).map(|()| 1)
        } else {
            let some = (1 + random.below(5)).min(saves - done);
            count_as_the_writer(&session, me, &mut random, some).map(|()| some)
        };
        match outcome {
            Ok(more) => {
                done += more;
                progress = Instant::now();
            }
            Err(Error::Busy { .. } | Error::Conflict { .. }) => thread::yield_now(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn next(tally: &mut Tally, me: u64, random: &mut Random) -> Vec<u8> {
    tally.total += 1;
    tally.each[me as usize] += 1;
    // Most are small; some reach 200 kB.
    let limit = [100, 5_000, 200_000][random.below(20).saturating_sub(17) as usize];
    tally.to_bytes(me, random.below(limit))
}

fn count_if_nobody_else_did(session: &Session, me: u64, random: &mut Random) -> Result<()> {
    let (mut tally, now) = Tally::of(session)?;
    let bytes = next(&mut tally, me, random);
    session.save_with(&bytes, &SaveOptions::new().follows(now.info.revision))?;
    tell(&tally.total.to_string());
    Ok(())
}

/// While it is the writer nobody else saves, so it need not name what it follows. It may.
fn count_as_the_writer(session: &Session, me: u64, random: &mut Random, saves: u64) -> Result<()> {
    let mut writer = session.writer()?;
    let (mut tally, now) = Tally::of(session)?;
    let mut revision = now.info.revision;
    for _ in 0..saves {
        let bytes = next(&mut tally, me, random);
        let options = SaveOptions::new();
        let options = if random.below(2) == 0 { options.follows(revision) } else { options };
        let saved = writer.save_with(&bytes, &options);
        // Not even a conflict is an excuse here.
        revision = saved.unwrap_or_else(|error| panic!("{error:?}")).revision;
        tell(&tally.total.to_string());
    }
    Ok(())
}

enum News {
    Saved { life: usize, total: u64 },
    Ended { life: usize },
}

/// Starts a life of a writer; what it tells comes through the channel, and at last its end.
fn start_life(life: usize, seed: u64, saves: u64, place: &Path, news: &Sender<News>) -> Rival {
    let task = format!("count {life} {} {saves}", (seed ^ (life as u64 + 1) << 32) | 1);
    let mut rival = Rival::start(&task, place);
    let mut answers = rival.answers.take().unwrap();
    let news = news.clone();
    thread::spawn(move || {
        while let Some(told) = next_told(&mut answers) {
            let _ = news.send(News::Saved { life, total: told.parse().unwrap() });
        }
        let _ = news.send(News::Ended { life });
    });
    rival
}

struct Life {
    rival: Rival,
    wanted: u64,
    acknowledged: u64,
    killed: bool,
}

/// Every acknowledged increment is in the final count; of a writer that was killed at most one more,
/// which it had no time to report. Readers see whole checkpoints and never an older one than was
/// acknowledged before they looked.
#[test]
fn writers_that_are_killed_at_random_lose_no_update() {
    let saves: u64 =
        std::env::var("PITSTOP_TEST_SAVES").map_or(2000, |saves| saves.parse().unwrap());
    let seed = seed();
    let mut random = Random(seed);
    let (scratch, repository) = place();
    let session = repository.get_or_create("job").unwrap();
    let nothing = Tally { total: 0, each: vec![0; MOST_LIVES] };
    session.save(&nothing.to_bytes(0, 0)).unwrap();

    let (acknowledged, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let (lives, loads) = thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| read_all_the_while(scratch.path(), &acknowledged, &stop)))
            .collect();
        let stop = StopAtEnd(&stop);
        let lives = run_lives(&mut random, seed, saves, scratch.path(), &acknowledged);
        drop(stop);
        (lives, readers.into_iter().map(|reader| reader.join().unwrap()).sum::<u64>())
    });

    let (last, _) = Tally::of(&session).unwrap();
    for (life, counted) in lives.iter().zip(&last.each) {
        let most = life.acknowledged + u64::from(life.killed);
        assert!(
            (life.acknowledged..=most).contains(counted),
            "{counted}, not {}",
            life.acknowledged
        );
    }
    let kills = lives.iter().filter(|life| life.killed).count();
    eprintln!("{} saves, {kills} kills, {loads} loads", last.total);
    assert!(kills >= 5 && last.total >= saves && loads > 0);
    session.save(b"goes on").unwrap();
    assert_eq!(ids(&repository), HashSet::from(["job".to_owned()]));
}

/// Readers end also where the test fails.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn read_all_the_while(place: &Path, acknowledged: &AtomicU64, stop: &AtomicBool) -> u64 {
    let (mut seen, mut loads) = (0, 0);
    while !stop.load(Ordering::SeqCst) {
        let least = acknowledged.load(Ordering::SeqCst).max(seen);
        let session = open(place).get("job").unwrap();
        let (tally, checkpoint) = Tally::of(&session).unwrap();
        assert!(tally.total >= least, "{} was loaded after {least}", tally.total);
        assert_eq!(checkpoint.info.digest, Digest::of(&checkpoint.data));
        (seen, loads) = (tally.total, loads + 1);
    }
    loads
}

fn run_lives(
    random: &mut Random,
    seed: u64,
    saves: u64,
    place: &Path,
    acknowledged: &AtomicU64,
) -> Vec<Life> {
    let (tell_news, news) = mpsc::channel();
    let mut lives: Vec<Life> = Vec::new();
    let mut alive: HashSet<usize> = HashSet::new();
    let begin = |lives: &mut Vec<Life>, alive: &mut HashSet<usize>, wanted| {
        let rival = start_life(lives.len(), seed, wanted, place, &tell_news);
        alive.insert(lives.len());
        lives.push(Life { rival, wanted, acknowledged: 0, killed: false });
    };
    for _ in 0..WRITERS {
        begin(&mut lives, &mut alive, saves / WRITERS as u64);
    }
    let mut until_kill = 1 + random.below(saves / 10);
    while !alive.is_empty() {
        match news.recv_timeout(STUCK).expect("the session is stuck") {
            News::Saved { life, total } => {
                acknowledged.fetch_max(total, Ordering::SeqCst);
                lives[life].acknowledged += 1;
                until_kill -= 1;
                if until_kill == 0 {
                    until_kill = 1 + random.below(saves / 10);
                    let mut candidates: Vec<usize> = alive.iter().copied().collect();
                    candidates.sort();
                    let chosen = candidates[random.below(candidates.len() as u64) as usize];
                    if lives.len() + WRITERS < MOST_LIVES && !lives[chosen].killed {
                        lives[chosen].killed = true;
                        kill(lives[chosen].rival.pid(), Signal::SIGKILL).unwrap();
                    }
                }
            }
            News::Ended { life } => {
                alive.remove(&life);
                let Life { rival, wanted, acknowledged, killed } = &mut lives[life];
                let status = rival.child.wait().unwrap();
                let remaining = *wanted - *acknowledged;
                assert!(*killed || (status.success() && remaining == 0), "{status}");
                if remaining > 0 {
                    begin(&mut lives, &mut alive, remaining);
                }
            }
        }
    }
    lives
}

// Two that want the same.

#[test]
fn of_two_creators_of_one_name_one_succeeds() {
    let (scratch, repository) = place();
    let mut rivals = [(); 2].map(|()| Rival::start("obey", scratch.path()));
    for round in 0..100 {
        let id = format!("job-{round}");
        let order = format!("create {id}");
        let answers = sorted(race(&mut rivals, [&order, &order]));
        assert_eq!(answers, ["AlreadyExists", "Ok"]);
        repository.get(&id).unwrap().save(b"usable").unwrap();
        let order = format!("get_or_create other-{round}");
        assert_eq!(race(&mut rivals, [&order, &order]), ["Ok", "Ok"]);
    }
    assert_eq!(ids(&repository).len(), 200);
    rivals.into_iter().for_each(Rival::end);
}

#[test]
fn made_up_names_never_meet() {
    let (scratch, repository) = place();
    let mut rivals = [(); 2].map(|()| Rival::start("obey", scratch.path()));
    let mut made = HashSet::new();
    for _ in 0..50 {
        made.extend(race(&mut rivals, ["generate", "generate"]));
    }
    assert_eq!(made.len(), 100);
    let listed: HashSet<String> =
        ids(&repository).into_iter().map(|id| format!("Ok {id}")).collect();
    assert_eq!(made, listed);
    rivals.into_iter().for_each(Rival::end);
}

#[test]
fn of_two_removers_one_succeeds() {
    let (scratch, repository) = place();
    let mut rivals = [(); 2].map(|()| Rival::start("obey", scratch.path()));
    for _ in 0..100 {
        let session = repository.get_or_create("job").unwrap();
        session.save(b"state").unwrap();
        std::fs::write(session.location().unwrap().join("log"), "the program's own").unwrap();
        let [other, done] = sorted(race(&mut rivals, ["remove job", "remove job"]));
        assert_eq!(done, "Ok");
        assert!(["Busy", "NotFound"].contains(&other.as_str()), "{other}");
        assert!(matches!(session.load(), Err(Error::NotFound { .. })));
        assert!(entries(&repository).is_empty(), "{:?}", entries(&repository));
    }
    rivals.into_iter().for_each(Rival::end);
}

/// A save that is acknowledged is there, or went with the session as a whole.
#[test]
fn a_save_and_a_removal_do_not_mix() {
    let (scratch, repository) = place();
    let mut rivals = [(); 3].map(|()| Rival::start("obey", scratch.path()));
    let mut seen = HashSet::new();
    for round in 0..200 {
        let session = repository.get_or_create("job").unwrap();
        session.save(b"before").unwrap();
        if round % 2 == 0 {
            // As PlainBox would have made it.
            std::fs::remove_file(session.location().unwrap().join("session.writer")).unwrap();
        }
        let (one, two) = (format!("save job one-{round}"), format!("save job two-{round}"));
        let [removed, one, two] = race(&mut rivals, ["remove job", &one, &two]);
        for saved in [&one, &two] {
            assert!(["Ok", "Busy", "NotFound"].contains(&saved.as_str()), "{saved}");
        }
        match removed.as_str() {
            "Ok" => {
                assert!(matches!(session.load(), Err(Error::NotFound { .. })));
                assert!(entries(&repository).is_empty(), "{:?}", entries(&repository));
            }
            "Busy" => {
                let data = String::from_utf8(session.load().unwrap().data).unwrap();
                let saved =
                    [("one", &one), ("two", &two)].into_iter().filter(|(_, it)| *it == "Ok");
                let saved: Vec<String> = saved.map(|(who, _)| format!("{who}-{round}")).collect();
                assert!(saved.contains(&data), "{data}, of {saved:?}");
                assert_eq!(ids(&repository).len(), 1);
                let left = std::fs::read_dir(session.location().unwrap()).unwrap();
                let names = left.map(|it| it.unwrap().file_name().into_string().unwrap());
                let others = names.filter(|name| !name.starts_with("session.journal-"));
                assert_eq!(others.count(), 2, "the journal's and the writer's file");
            }
            other => panic!("{other}"),
        }
        seen.insert((removed, one, two));
    }
    eprintln!("{} different outcomes", seen.len());
    assert!(seen.len() > 1);
    rivals.into_iter().for_each(Rival::end);
}

/// To one who looks, a session that is being removed is there with its checkpoint, or not there.
#[test]
fn a_reader_never_sees_half_of_a_removal() {
    const SESSIONS: usize = 100;
    let (scratch, repository) = place();
    let sessions: Vec<Session> = (0..SESSIONS)
        .map(|n| {
            let session = repository.create(&named(&format!("job-{n}"))).unwrap();
            session.save(b"state").unwrap();
            session
        })
        .collect();
    thread::scope(|scope| {
        for what in ["load", "status", "list", "make_last"] {
            let sessions = &sessions;
            let repository = open(scratch.path());
            scope.spawn(move || {
                for session in sessions {
                    while is_whole(&repository, session.id().as_str(), what) {}
                }
            });
        }
        let mut remover = Rival::start("obey", scratch.path());
        for session in &sessions {
            remover.order(&format!("remove {}", session.id()));
            assert_eq!(remover.answer(), "Ok");
        }
        remover.end();
    });
    assert_eq!(entries(&repository), ["last-session"]);
}

/// Whether the session is there; whole, if it is.
fn is_whole(repository: &Repository, id: &str, look: &str) -> bool {
    let session = repository.get(id);
    let outcome = match look {
        "load" => session.and_then(|it| it.load()).map(|it| assert_eq!(it.data, b"state")),
        "status" => {
            session.and_then(|it| it.status()).map(|it| assert_eq!(it.summary.size, Some(5)))
        }
        "make_last" => session.and_then(|it| it.make_last()),
        _ => {
            let listing = repository.list().unwrap();
            assert!(listing.problems.is_empty(), "{:?}", listing.problems);
            assert!(
                listing.sessions.iter().all(|it| it.size == Some(5)),
                "half a session is listed"
            );
            return listing.sessions.iter().any(|it| it.id.as_str() == id);
        }
    };
    match outcome {
        Ok(()) => true,
        Err(Error::NotFound { .. }) => false,
        Err(error) => panic!("{look}: {error:?}"),
    }
}

fn churn(repository: &Repository, name: &str, rounds: u64) {
    for round in 0..rounds {
        let session = repository.create(&named(&format!("{name}-{}", round % 3))).unwrap();
        session.save(b"one").unwrap();
        session.save(b"two").unwrap();
        session.make_last().unwrap();
        let removal = session.remove().unwrap();
        assert!(removal.remains.is_empty(), "{removal:?}");
        tell("done");
    }
}

#[test]
fn a_listing_misses_nothing_and_reports_nothing() {
    let (scratch, repository) = place();
    let steady: HashSet<String> = (0..20).map(|n| format!("steady-{n}")).collect();
    for id in &steady {
        repository.create(&named(id)).unwrap().save(b"kept").unwrap();
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let lister = scope.spawn(|| {
            let mut listings = 0;
            while !stop.load(Ordering::SeqCst) {
                assert!(ids(&repository).is_superset(&steady));
                listings += 1;
            }
            listings
        });
        let stop = StopAtEnd(&stop);
        let churners =
            ["a", "b"].map(|it| Rival::start(&format!("churn {it} 100"), scratch.path()));
        churners.into_iter().for_each(Rival::end);
        drop(stop);
        eprintln!("{} listings", lister.join().unwrap());
    });
    assert_eq!(ids(&repository), steady);
    for id in &steady {
        assert_eq!(repository.get(id).unwrap().load().unwrap().data, b"kept");
    }
}

/// Looks at the last session all the while that `work` is done; `judge` gets it each time.
fn watch_last(place: &Path, judge: impl Fn(Session) + Sync, work: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut looks = 0;
            while !stop.load(Ordering::SeqCst) {
                judge(open(place).last().unwrap().expect("there is a last session at any time"));
                looks += 1;
            }
            looks
        });
        let stop = StopAtEnd(&stop);
        work();
        drop(stop);
        eprintln!("{} looks at the last session", watcher.join().unwrap());
    });
}

#[test]
fn two_that_make_the_last_session_leave_one_at_any_time() {
    let (scratch, repository) = place();
    for id in ["one", "two"] {
        repository.create(&named(id)).unwrap().save(id.as_bytes()).unwrap();
    }
    repository.get("one").unwrap().make_last().unwrap();
    let judge = |last: Session| {
        assert_eq!(last.load().unwrap().data, last.id().as_str().as_bytes());
    };
    watch_last(scratch.path(), judge, || {
        let mut rivals = [(); 2].map(|()| Rival::start("obey", scratch.path()));
        for round in 0..200 {
            let second = if round % 2 == 0 { "make_last two" } else { "make_last one" };
            assert_eq!(race(&mut rivals, ["make_last one", second]), ["Ok", "Ok"]);
        }
        rivals.into_iter().for_each(Rival::end);
    });
    assert_eq!(entries(&repository), ["last-session", "one.session", "two.session"]);
}

fn replace_again_and_again(repository: &Repository, rounds: u64) {
    let options = CreateOptions::new().prefix("run").replace_last();
    for round in 0..rounds {
        let mut writer = repository.create(&options).unwrap().writer().unwrap();
        for step in 0..3 {
            writer.save(format!("round {round}, step {step}").as_bytes()).unwrap();
        }
        tell("done");
    }
}

/// A program that keeps one session, started twice: there is a checkpoint to resume at any time.
#[test]
fn two_programs_that_replace_the_last_session() {
    let (scratch, repository) = place();
    repository.create(&named("first").replace_last()).unwrap().save(b"round 0").unwrap();
    let judge = |last: Session| match last.load() {
        Ok(checkpoint) => assert!(checkpoint.data.starts_with(b"round")),
        // Replaced since we asked.
        Err(Error::NotFound { .. }) => (),
        Err(error) => panic!("{error:?}"),
    };
    watch_last(scratch.path(), judge, || {
        let rivals = [(); 2].map(|()| Rival::start("replace 100", scratch.path()));
        rivals.into_iter().for_each(Rival::end);
    });
    let last = repository.last().unwrap().unwrap();
    assert_eq!(last.load().unwrap().data, b"round 99, step 2");
    let listing = repository.list().unwrap();
    assert!(listing.problems.is_empty() && listing.sessions.iter().all(|it| !it.live));
}

// One that has the place, and does not move.

#[test]
fn a_writer_that_is_stopped_keeps_its_place() {
    let (scratch, repository) = place();
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

#[test]
fn threads_with_one_handle_exclude_each_other() {
    let (_scratch, repository) = place();
    let session = repository.get_or_create("job").unwrap();
    let mut writer = session.writer().unwrap();
    let other = || thread::scope(|scope| scope.spawn(|| session.save(b"other")).join().unwrap());
    assert!(matches!(other(), Err(Error::Busy { .. })));
    writer.save(b"mine").unwrap();
    assert_eq!(session.load().unwrap().data, b"mine");
    drop(writer);
    other().unwrap();
    assert_eq!(session.load().unwrap().data, b"other");
}
