//! Writers on one session, one of them killed now and then: no update is lost.

use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use pitstop::{Checkpoint, Digest, Error, Format, Repository, Result, SaveOptions, Session};

use super::{Random, Rival, STUCK, StopAtEnd, ids, next_told, open, place, seed, tell};

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
pub(super) fn count(repository: &Repository, me: u64, mut random: Random, saves: u64) {
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
fn writers_that_are_killed_at_random_lose_no_update(format: Format) {
    let saves: u64 =
        std::env::var("PITSTOP_TEST_SAVES").map_or(2000, |saves| saves.parse().unwrap());
    let seed = seed();
    let mut random = Random(seed);
    let (scratch, repository) = place(format);
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

on_both_formats!(writers_that_are_killed_at_random_lose_no_update);
