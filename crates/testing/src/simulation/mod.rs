//! Hosts that share an object store, in one process, by a seed: one request at a time is carried out, and which one
//! comes next, what becomes of it and of its answer, who stands still and who is killed is chosen by the seed. Time is
//! virtual, so that a minute of watching costs nothing. The same seed gives the same run, request by request.
//!
//! A host is a thread with a [`Clock`] and an [`ObjectStore`] of its own. It runs until it waits for one of the two;
//! once all wait, the `world` chooses whose wait ends.

mod clock;
mod fate;
mod store;
mod world;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use object_store::ObjectStore;
use pitstop::seam::Clock;
use pitstop::{ObjectBackend, Repository};
use tokio::runtime::Handle;

use crate::history::Recorder;
use clock::HostClock;
pub use fate::Trouble;
use store::HostStore;
use world::World;

/// A simulation; all clones are the same.
#[derive(Clone, Debug)]
pub struct Simulation {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    /// A host waits, or is done.
    changed: Condvar,
    recorder: Recorder,
}

/// No host computes for so long between two requests.
const STUCK: Duration = Duration::from_secs(60);

/// For so long a request is tried again, of virtual time.
const BUDGET: Duration = Duration::from_secs(30);

impl Simulation {
    /// A simulation of so many hosts, without any sessions.
    pub fn new(seed: u64, hosts: usize, trouble: Trouble) -> Self {
        let world = World::new(seed, hosts, trouble);
        let time = world.time.clone();
        let recorder = Recorder::new(move || time.event());
        let (world, changed) = (Mutex::new(world), Condvar::new());
        Self { shared: Arc::new(Shared { world, changed, recorder }) }
    }

    /// What records the hosts' operations. Its times are nanoseconds.
    pub fn recorder(&self) -> Recorder {
        self.shared.recorder.clone()
    }

    /// The repository as this host sees it, which runs on this machine.
    pub fn repository(&self, host: usize, machine: usize) -> Repository {
        let store: Arc<dyn ObjectStore> = Arc::new(HostStore { simulation: self.clone(), host });
        let clock: Arc<dyn Clock> = Arc::new(HostClock { simulation: self.clone(), host });
        let backend = ObjectBackend::with_store("sim://store", store, "some/prefix", BUDGET);
        let backend = backend.unwrap_or_else(|error| panic!("{error:?}"));
        let backend = backend.with_clock(clock).on_machine(&format!("machine-{machine}"));
        Repository::with_backend(backend)
    }

    /// Lets a host stand idle for this long.
    pub fn idle(&self, host: usize, time: Duration) {
        HostClock { simulation: self.clone(), host }.sleep(time);
    }

    /// Lets a host stand still for this long from now on, and what it does in the background too.
    pub fn stand_still(&self, host: usize, time: Duration) {
        self.world().stand_still(host, time.as_nanos() as u64, &self.shared.recorder);
    }

    /// Kills a host: nothing that it does from now on takes effect.
    pub fn kill(&self, host: usize) {
        self.world().kill(host, &self.shared.recorder);
    }

    /// From now on nothing goes wrong, and what was late has come.
    pub fn calm_down(&self) {
        self.world().calm_down();
    }

    /// How many requests were carried out, and a digest of which ones in what order.
    pub fn trace(&self) -> (u64, u64) {
        self.world().trace()
    }

    /// Runs these hosts, each by a thread, until all are done.
    pub fn run(&self, hosts: impl IntoIterator<Item = (usize, Box<dyn FnOnce() + Send>)>) {
        let hosts: Vec<_> = hosts.into_iter().collect();
        hosts.iter().for_each(|(host, _)| self.world().begin(*host));
        thread::scope(|scope| {
            for (host, work) in hosts {
                scope.spawn(move || {
                    // Also if it panics.
                    let _done = Done { simulation: self, host };
                    work();
                });
            }
            self.drive();
        });
    }

    fn drive(&self) {
        loop {
            let mut world = self.all_wait();
            if let Some(runtime) = world.runtime.clone() {
                drop(world);
                let_tasks_go_on(&runtime);
                world = self.all_wait();
            }
            if !world.step(&self.shared.recorder) {
                return;
            }
        }
    }

    /// Waits until each host waits or is done.
    fn all_wait(&self) -> MutexGuard<'_, World> {
        let (world, waited) = self
            .shared
            .changed
            .wait_timeout_while(self.world(), STUCK, |world| world.is_running())
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!waited.timed_out(), "a host is stuck");
        world
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets tasks that were just woken make their next request or end. The runtime has one thread, and takes them in turn.
fn let_tasks_go_on(runtime: &Handle) {
    let (send, receive) = std::sync::mpsc::sync_channel(1);
    runtime.spawn(async move {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let _ = send.send(());
    });
    let _ = receive.recv();
}

struct Done<'a> {
    simulation: &'a Simulation,
    host: usize,
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.simulation.world().end(self.host);
        self.simulation.shared.changed.notify_all();
    }
}
