//! The time of a host.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use pitstop::seam::Clock;
use tokio::sync::oneshot;

use super::Simulation;
use super::world::Wait;

/// The virtual time, in nanoseconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Time(Arc<AtomicU64>);

impl Time {
    pub(super) fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    pub(super) fn set(&self, now: u64) {
        self.0.fetch_max(now, Ordering::SeqCst);
    }

    /// A time that no other event has.
    pub(super) fn event(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }
}

/// The clock of one host.
#[derive(Debug)]
pub(super) struct HostClock {
    pub(super) simulation: Simulation,
    pub(super) host: usize,
}

impl Clock for HostClock {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.simulation.world().time.now())
    }

    fn sleep(&self, time: Duration) {
        let (send, receive) = mpsc::sync_channel(1);
        let wake = Box::new(move || {
            let _ = send.send(());
        });
        self.simulation.world().add(self.host, false, Wait::Time(time, wake));
        self.simulation.shared.changed.notify_all();
        let _ = receive.recv();
    }

    fn later(&self, time: Duration) -> BoxFuture<'static, ()> {
        let (simulation, host) = (self.simulation.clone(), self.host);
        async move {
            let (send, receive) = oneshot::channel();
            let wake = Box::new(move || {
                let _ = send.send(());
            });
            let _registered = simulation.register(host, Wait::Time(time, wake));
            let _ = receive.await;
        }
        .boxed()
    }

    /// The most, so that all waits of one kind last as long in each run.
    fn jitter(&self) -> u8 {
        u8::MAX
    }
}
