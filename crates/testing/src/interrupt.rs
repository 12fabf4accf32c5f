//! What goes wrong in the middle of a call.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use pitstop::seam::Disk;
use rustix::io::Errno;

use super::disk::{Quirk, SimulatedDisk};
use super::hook::{Action, Call, HookedDisk, Operation};
use super::random::Random;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Interrupt {
    /// The program is killed at this call of the system.
    Kill { at: usize },
    /// The program is killed in this write, after so many bytes of it.
    KillInWrite { at: usize, written: usize },
    /// This flush fails, and what it should have flushed later ones do not flush either.
    LoseFlush { at: usize },
    /// This flush fails.
    FailFlush { at: usize },
    /// Of this write so many bytes are written, and then the disk is full.
    FailWrite { at: usize, written: usize },
}

impl Interrupt {
    pub(crate) fn random(random: &mut Random) -> Self {
        let written = random.below(24) * 512;
        match random.below(6) {
            0 | 1 => Self::Kill { at: random.below(40) },
            2 => Self::KillInWrite { at: random.below(3), written },
            3 => Self::LoseFlush { at: random.below(3) },
            4 => Self::FailFlush { at: random.below(3) },
            _ => Self::FailWrite { at: random.below(3), written },
        }
    }
}

/// Interrupts the calls that a program makes of its disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupter(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    armed: Option<Interrupt>,
    /// How many calls, flushes and writes there were.
    calls: usize,
    flushes: usize,
    writes: usize,
    /// The next call is the last one.
    is_dying: bool,
    /// The next write fails.
    is_full: bool,
    was_killed: bool,
}

impl Interrupter {
    /// Lets this happen in the calls that are made from now on.
    pub(crate) fn arm(&self, interrupt: Option<Interrupt>) {
        *self.state() = State { armed: interrupt, ..State::default() };
    }

    /// Lets nothing happen any more. Says whether the program was killed.
    pub(crate) fn disarm(&self) -> bool {
        std::mem::take(&mut *self.state()).was_killed
    }

    /// The disk that a program sees.
    pub(crate) fn around(&self, disk: &SimulatedDisk) -> Arc<dyn Disk> {
        let (this, inner) = (self.clone(), disk.clone());
        let decide = move |call: &Call<'_>| this.state().decide(call, &inner);
        Arc::new(HookedDisk::new(Arc::new(disk.clone()), decide))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn decide(&mut self, call: &Call<'_>, disk: &SimulatedDisk) -> Action {
        let Some(interrupt) = self.armed else { return Action::Pass };
        let is_write = call.operation == Operation::Write;
        let is_flush = matches!(call.operation, Operation::SyncFile | Operation::SyncDirectory);
        let (number, flush, write) = (self.calls, self.flushes, self.writes);
        self.calls += 1;
        self.flushes += usize::from(is_flush);
        self.writes += usize::from(is_write);
        if self.is_dying {
            self.kill(disk);
            return Action::Pass;
        }
        if self.is_full && is_write {
            self.is_full = false;
            return Action::Fail(io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error()));
        }
        match interrupt {
            Interrupt::Kill { at } if at == number => self.kill(disk),
            Interrupt::KillInWrite { at, written } if is_write && at == write => {
                if 0 < written && written < call.len {
                    self.is_dying = true;
                    return Action::Part(written);
                }
                self.kill(disk);
            }
            Interrupt::LoseFlush { at } if is_flush && at == flush => {
                disk.set_quirk(Quirk::LoseSync);
            }
            Interrupt::FailFlush { at } if is_flush && at == flush => {
                return Action::Fail(io::Error::from_raw_os_error(Errno::IO.raw_os_error()));
            }
            Interrupt::FailWrite { at, written } if is_write && at == write => {
                if written >= call.len {
                    return Action::Pass;
                }
                if written > 0 {
                    self.is_full = true;
                    return Action::Part(written);
                }
                return Action::Fail(io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error()));
            }
            _ => (),
        }
        Action::Pass
    }

    fn kill(&mut self, disk: &SimulatedDisk) {
        if !self.was_killed {
            disk.kill();
        }
        self.was_killed = true;
    }
}
