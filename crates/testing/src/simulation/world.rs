//! Who waits for what, and whose wait ends next.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use object_store::memory::InMemory;
use tokio::runtime::Handle;

use super::clock::Time;
use super::fate::{Fate, Kind, Trouble};
use crate::history::Recorder;
use crate::random::Random;

/// What is done with the store later.
type Later = Box<dyn FnOnce(&InMemory) + Send>;

/// Carries a request out, and gives what of it comes later.
type CarryOut = Box<dyn FnOnce(&InMemory, Fate) -> Option<Later> + Send>;

/// What a host waits for.
pub(super) enum Wait {
    /// That so much time passes.
    Time(Duration, Box<dyn FnOnce() + Send>),
    /// The answer of the store.
    Request { kind: Kind, path: String, carry_out: CarryOut },
}

/// A wait: of which host, whether in the background, and which of those.
pub(super) type Key = (usize, bool, u64);

struct Waiting {
    due: u64,
    wait: Wait,
}

#[derive(Debug, Default)]
struct Host {
    /// It computes.
    is_running: bool,
    is_done: bool,
    is_dead: bool,
    /// It stands still until then.
    still_until: u64,
    /// How many of its waits were begun, in the background and not.
    begun: [u64; 2],
    /// How many of its requests went wrong, one after the other.
    faults: usize,
}

/// More faults in a row than that are no trouble but an outage.
const MOST_FAULTS: usize = 3;

/// How many hosts are killed at most.
const MOST_KILLS: usize = 2;

/// How long a host stands still, in seconds.
const STOPS: [u64; 4] = [5, 70, 200, 400];

pub(super) struct World {
    pub(super) time: Time,
    pub(super) runtime: Option<Handle>,
    /// The tasks that waited for something, and whether they work in the background.
    pub(super) tasks: HashMap<tokio::task::Id, bool>,
    random: Random,
    trouble: Trouble,
    store: InMemory,
    hosts: Vec<Host>,
    waiting: BTreeMap<Key, Waiting>,
    late: Vec<Later>,
    steps: u64,
    trace: DefaultHasher,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("hosts", &self.hosts).field("steps", &self.steps).finish()
    }
}

impl World {
    pub(super) fn new(seed: u64, hosts: usize, trouble: Trouble) -> Self {
        Self {
            time: Time::default(),
            runtime: None,
            tasks: HashMap::new(),
            random: Random(seed),
            trouble,
            store: InMemory::new(),
            hosts: (0..hosts).map(|_| Host::default()).collect(),
            waiting: BTreeMap::new(),
            late: Vec::new(),
            steps: 0,
            trace: DefaultHasher::new(),
        }
    }

    pub(super) fn begin(&mut self, host: usize) {
        self.hosts[host].is_running = true;
    }

    pub(super) fn end(&mut self, host: usize) {
        (self.hosts[host].is_running, self.hosts[host].is_done) = (false, true);
    }

    pub(super) fn is_running(&self) -> bool {
        self.hosts.iter().any(|host| host.is_running)
    }

    pub(super) fn calm_down(&mut self) {
        self.trouble = Trouble::NONE;
        while !self.late.is_empty() {
            self.deliver();
        }
    }

    pub(super) fn trace(&self) -> (u64, u64) {
        (self.steps, self.trace.finish())
    }

    pub(super) fn add(&mut self, host: usize, is_background: bool, wait: Wait) -> Key {
        let time = match &wait {
            Wait::Time(time, _) => time.as_nanos() as u64,
            Wait::Request { .. } => 0,
        };
        let of_host = &mut self.hosts[host];
        of_host.is_running &= is_background;
        let begun = &mut of_host.begun[usize::from(is_background)];
        *begun += 1;
        let key = (host, is_background, *begun);
        self.waiting.insert(key, Waiting { due: self.time.now() + time, wait });
        key
    }

    /// Ends a wait that is given up.
    pub(super) fn forget(&mut self, key: Key) {
        if self.waiting.remove(&key).is_some() {
            self.goes_on(key);
        }
    }

    /// A host computes again once it waits for nothing more.
    fn goes_on(&mut self, (host, is_background, _): Key) {
        if !is_background && !self.hosts[host].is_done {
            let waits = self.waiting.range((host, false, 0)..(host, true, 0)).next().is_some();
            self.hosts[host].is_running = !waits;
        }
    }

    /// Ends one wait, or lets something happen. Returns whether anybody is not done.
    pub(super) fn step(&mut self, recorder: &Recorder) -> bool {
        let is_over = self.hosts.iter().all(|host| host.is_done || host.begun == [0, 0]);
        if is_over {
            return false;
        }
        self.strike(recorder);
        if !self.late.is_empty() && self.random.below(6) == 0 {
            self.deliver();
            return true;
        }
        let key = loop {
            let ready: Vec<Key> = self.ready();
            match ready.len() {
                0 if !self.pass_time() => panic!("nobody can go on: {:?}", self.hosts),
                0 => (),
                count => break ready[self.random.below(count)],
            }
        };
        let pause = 1 + self.random.below(20_000_000) as u64;
        self.time.set(self.time.now() + pause);
        self.end_wait(key);
        true
    }

    /// Whose wait may end. The dead go first, and soon end.
    fn ready(&self) -> Vec<Key> {
        let dead = |key: &&Key| self.hosts[key.0].is_dead && !key.1;
        let dead: Vec<Key> = self.waiting.keys().filter(dead).copied().collect();
        if !dead.is_empty() {
            return dead;
        }
        let now = self.time.now();
        let is_ready = |(key, waiting): (&Key, &Waiting)| {
            let host = &self.hosts[key.0];
            let is_ready = waiting.due <= now && host.still_until <= now && !host.is_dead;
            is_ready.then_some(*key)
        };
        self.waiting.iter().filter_map(is_ready).collect()
    }

    /// Goes to the next moment at which a wait may end; whether there is one.
    fn pass_time(&mut self) -> bool {
        let of_living = self.waiting.iter().filter(|(key, _)| !self.hosts[key.0].is_dead);
        let when = of_living.map(|(key, it)| it.due.max(self.hosts[key.0].still_until)).min();
        when.inspect(|when| self.time.set(*when)).is_some()
    }

    fn end_wait(&mut self, key: Key) {
        let Some(Waiting { wait, .. }) = self.waiting.remove(&key) else { return };
        let (host, is_background, _) = key;
        self.goes_on(key);
        self.steps += 1;
        match wait {
            Wait::Time(_, wake) => {
                (host, is_background).hash(&mut self.trace);
                wake();
            }
            Wait::Request { kind, path, carry_out } => {
                let fate = self.fate(host, kind, is_background);
                // Keys of objects have random numbers in them; what kind of object it is has none.
                let room = path.strip_prefix("some/prefix/").and_then(|it| it.split('/').next());
                (host, kind, fate, room).hash(&mut self.trace);
                let later = carry_out(&self.store, fate);
                // What a dead host had asked for may come, or not.
                let is_kept = fate != Fate::Void || self.random.below(2) == 0;
                let changes = matches!(kind, Kind::Put(_) | Kind::Delete);
                self.late.extend(later.filter(|_| is_kept && changes && !is_background));
            }
        }
    }

    fn fate(&mut self, host: usize, kind: Kind, is_background: bool) -> Fate {
        let of_host = &mut self.hosts[host];
        if of_host.is_dead {
            return Fate::Void;
        }
        let is_bearable = of_host.faults < MOST_FAULTS && !is_background;
        let faults = if is_bearable { self.trouble.faults } else { 0 };
        let fate = Fate::choose(kind, &mut self.random, faults);
        of_host.faults = if fate == Fate::Done { 0 } else { of_host.faults + 1 };
        fate
    }

    fn deliver(&mut self) {
        let at = self.random.below(self.late.len());
        self.late.swap_remove(at)(&self.store);
    }

    /// Lets somebody stand still or die.
    fn strike(&mut self, recorder: &Recorder) {
        let Trouble { stops, kills, .. } = self.trouble;
        let now = self.time.now();
        let up: Vec<usize> = (0..self.hosts.len())
            .filter(|host| {
                let host = &self.hosts[*host];
                !host.is_done && !host.is_dead && host.begun != [0, 0] && host.still_until <= now
            })
            .collect();
        let dead = self.hosts.iter().filter(|host| host.is_dead).count();
        if up.len() < 2 {
            return;
        }
        let victim = up[self.random.below(up.len())];
        if kills > 0 && self.random.below(kills) == 0 && dead < MOST_KILLS {
            self.kill(victim, recorder);
        } else if stops > 0 && self.random.below(stops) == 0 {
            let time = STOPS[self.random.below(STOPS.len())] * 1_000_000_000;
            self.stand_still(victim, time, recorder);
        }
    }

    pub(super) fn stand_still(&mut self, host: usize, time: u64, recorder: &Recorder) {
        let until = self.time.now() + time;
        self.hosts[host].still_until = until;
        recorder.down(host, Some(until));
    }

    pub(super) fn kill(&mut self, host: usize, recorder: &Recorder) {
        self.hosts[host].is_dead = true;
        recorder.down(host, None);
    }
}
