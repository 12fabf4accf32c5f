//! The programs of a chain, and what hits them.

use std::path::Path;

use pitstop::seam::{open_on, save_in_pieces};
use pitstop::{Error, PruneOptions, Repository, Retention, SaveOptions, Session, Writer};

use super::ledger::{Effect, Kept, Ledger, Outcome};
use crate::disk::{Moment, SimulatedDisk};
use crate::interrupt::{Interrupt, Interrupter};
use crate::payload::{LARGE, NOISE, STATE, payload};
use crate::random::Random;
use crate::subject::Subject;

const LOCATION: &str = "/home/user/sessions";
const ID: &str = "a";
/// The label that tells one attempt to save from another.
const ATTEMPT: &str = "attempt";
/// A program does at most so much before it is hit.
const CALLS: usize = 6;

/// A chain of crashes.
pub(super) struct Chain {
    subject: &'static Subject,
    random: Random,
    disk: SimulatedDisk,
    interrupter: Interrupter,
    ledger: Ledger,
    /// How many revisions its saves keep; `None`: all.
    keeps: Option<usize>,
    /// The payload of each attempt to save.
    attempts: Vec<u32>,
    /// What happened.
    pub log: Vec<String>,
}

/// A program at work.
struct Program {
    session: Session,
    writer: Option<Writer>,
}

impl Chain {
    pub(super) fn new(subject: &'static Subject, seed: u64) -> Self {
        let mut random = Random(seed);
        let keeps = [Some(2), Some(2), Some(3), Some(5), None][random.below(5)];
        Self {
            subject,
            random,
            disk: SimulatedDisk::new(),
            interrupter: Interrupter::default(),
            ledger: Ledger::new(subject.seen_numbers_last),
            keeps,
            attempts: Vec::new(),
            log: Vec::new(),
        }
    }

    /// A program comes, works, and is hit.
    pub(super) fn link(&mut self) -> Result<(), String> {
        let mut program = self.start()?;
        for _ in 0..self.random.below(CALLS) {
            if !self.call(&mut program)? {
                // It was killed, and the next one goes on.
                return Ok(());
            }
        }
        match self.random.below(8) {
            0 => self.log.push("ends in order".to_owned()),
            1 => {
                self.log.push("is killed".to_owned());
                self.disk.kill();
            }
            2 => {
                self.log.push("the power is cut".to_owned());
                let moment = self.disk.now();
                return self.cut(&moment, Effect::Nothing);
            }
            _ => return self.cut_in_the_middle(program),
        }
        Ok(())
    }

    /// A new program. The session is made by the first.
    fn start(&mut self) -> Result<Program, String> {
        let disk = self.interrupter.around(&self.disk);
        let told = |error: Error| format!("a program starts: {error:?}");
        let backend = open_on(disk, Path::new(LOCATION)).map_err(told)?;
        let repository = Repository::with_backend(backend);
        if self.log.is_empty() {
            (self.subject.create)(&repository, ID).map_err(told)?;
        }
        self.log.push("a program starts".to_owned());
        let mut program = Program { session: repository.get(ID).map_err(told)?, writer: None };
        self.look(&program)
            .and_then(|found| self.ledger.after_call(Effect::Nothing, Outcome::Done, found))?;
        if self.random.below(2) == 0 {
            program.writer = Some(program.session.writer().map_err(told)?);
        }
        Ok(program)
    }

    /// Makes a call, in which something may go wrong. Says whether the program lives on.
    fn call(&mut self, program: &mut Program) -> Result<bool, String> {
        let interrupt = (self.random.below(3) == 0).then(|| Interrupt::random(&mut self.random));
        let (call, effect) = self.pick();
        self.interrupter.arm(interrupt);
        let told = self.make(program, call);
        let was_killed = self.interrupter.disarm();
        let outcome = match &told {
            _ if was_killed => Outcome::Unknown,
            Ok(()) => Outcome::Done,
            Err(Error::Indeterminate { .. }) => Outcome::Unknown,
            Err(_) if interrupt.is_some() => Outcome::NotDone,
            Err(error) => return Err(format!("{call:?} fails: {error:?}")),
        };
        self.log.push(format!("{call:?}, {interrupt:?}: {outcome:?}"));
        let now = match was_killed {
            true => self.start_again()?,
            false => self.look(program)?,
        };
        self.ledger.after_call(effect, outcome, now)?;
        Ok(!was_killed)
    }

    /// Looks at what a program that was killed left.
    fn start_again(&mut self) -> Result<Kept, String> {
        let backend = open_on(self.interrupter.around(&self.disk), Path::new(LOCATION));
        let session = backend.and_then(|it| Repository::with_backend(it).get(ID));
        let session = session.map_err(|error| format!("after a kill: {error:?}"))?;
        self.look(&Program { session, writer: None })
    }

    /// The power is cut at some moment of a call.
    fn cut_in_the_middle(&mut self, mut program: Program) -> Result<(), String> {
        let (call, effect) = match self.pick() {
            (_, Effect::Nothing) => self.pick(),
            picked => picked,
        };
        self.disk.record();
        let told = self.make(&mut program, call);
        let moments = self.disk.take_history();
        self.log.push(format!("{call:?}, in which the power is cut ({})", told.is_ok()));
        let moment = self.random.below(moments.len());
        self.cut(&moments[moment], effect)
    }

    fn cut(&mut self, moment: &Moment, effect: Effect) -> Result<(), String> {
        let tear = self.subject.tears[self.random.below(self.subject.tears.len())];
        let survivors = self.random.survivors();
        self.log.push(format!("{tear:?} {:x}", survivors.0));
        // Whatever the program still does at its end, it does to the other disk.
        self.disk = moment.after_crash_with(tear, survivors);
        let found = self.start_again()?;
        self.ledger.after_power_cut(effect, found)
    }

    /// What a program does next, and what comes of that.
    fn pick(&mut self) -> (Call, Effect) {
        match self.random.below(12) {
            0 => (Call::Verify, Effect::Nothing),
            1 => (Call::Hold, Effect::Nothing),
            2 => (Call::Release, Effect::Nothing),
            3 if self.ledger.len() > 2 => {
                let keep = 1 + self.random.below(self.ledger.len() - 1);
                (Call::Prune(keep), Effect::Prune { keep })
            }
            kind => {
                let attempt = self.attempts.len() as u32;
                let number = self.payload();
                self.attempts.push(number);
                let keeps = self.keeps.unwrap_or(usize::MAX);
                let call = if kind == 4 { Call::Stream(attempt) } else { Call::Save(attempt) };
                (call, Effect::Save { attempt, keeps })
            }
        }
    }

    /// What was lost is often saved again; else something new, of all kinds.
    fn payload(&mut self) -> u32 {
        let last = self.attempts.last().copied();
        let is_lost = !self.ledger.is_newest((self.attempts.len() as u32).wrapping_sub(1));
        match (last, self.random.below(8)) {
            (Some(last), 1..) if is_lost => last,
            (Some(last @ STATE..LARGE), 0 | 1) => (last + 1).min(LARGE - 1),
            (_, 0..=2) => self.random.below(12) as u32,
            (_, 3) => STATE + self.random.below(20) as u32,
            _ => NOISE + self.random.below(60) as u32,
        }
    }

    fn make(&mut self, program: &mut Program, call: Call) -> Result<(), Error> {
        let retention = self.keeps.map_or(Retention::All, Retention::Revisions);
        let attempts = &self.attempts;
        let options =
            |attempt: u32| SaveOptions::new().keep(retention).label(ATTEMPT, attempt.to_string());
        let mut with_writer =
            |save: &mut dyn FnMut(&mut Writer) -> Result<(), Error>| match &mut program.writer {
                Some(writer) => save(writer),
                None => save(&mut program.session.writer()?),
            };
        match call {
            Call::Save(attempt) => with_writer(&mut |writer| {
                let data = payload(attempts[attempt as usize]);
                writer.save_with(&data, &options(attempt)).map(drop)
            }),
            Call::Stream(attempt) => with_writer(&mut |writer| {
                let data = payload(attempts[attempt as usize]);
                save_in_pieces(writer, &mut &data[..], &options(attempt)).map(drop)
            }),
            Call::Prune(keep) => {
                // It takes the writer's place.
                program.writer = None;
                program.session.prune(&PruneOptions::new().keep(keep)).map(drop)
            }
            Call::Verify => {
                let found = program.session.verify()?;
                found.revisions.into_iter().find_map(|it| it.error).map_or(Ok(()), Err)
            }
            Call::Hold if program.writer.is_none() => {
                program.writer = Some(program.session.writer()?);
                Ok(())
            }
            Call::Hold => Ok(()),
            Call::Release => {
                program.writer = None;
                Ok(())
            }
        }
    }

    /// What is kept, and that all of it is what was saved.
    fn look(&self, program: &Program) -> Result<Kept, String> {
        let wrong = |what: &str, error: Error| format!("{what}: {error:?}");
        let session = &program.session;
        let history = session.history().map_err(|error| wrong("history", error))?;
        if !history.damaged.is_empty() || history.may_lack_newer {
            return Err(format!("damage is reported: {history:?}"));
        }
        let mut kept = Vec::new();
        for it in &history.revisions {
            let attempt = it.info.labels.get(ATTEMPT).and_then(|it| it.parse::<u32>().ok());
            let number = attempt.and_then(|it| self.attempts.get(it as usize));
            let (Some(attempt), Some(number)) = (attempt, number) else {
                return Err(format!("nobody saved {:?}", it.info));
            };
            let loaded = session.load_revision(it.info.revision);
            let loaded = loaded.map_err(|error| wrong("load of a revision", error))?;
            if *loaded.data != *payload(*number) || loaded.info != it.info {
                return Err(format!("{:?} is not what was saved", it.info));
            }
            kept.push((it.info.revision.number().unwrap_or(0), attempt));
        }
        match (session.load(), history.revisions.first()) {
            (Ok(loaded), Some(newest)) if loaded.info == newest.info => Ok(kept),
            (Err(Error::NoCheckpoint { .. }), None) => Ok(kept),
            (loaded, newest) => Err(format!("{loaded:?} is loaded, and {newest:?} is the newest")),
        }
    }
}

/// One call of a program.
#[derive(Clone, Copy, Debug)]
enum Call {
    Save(u32),
    Stream(u32),
    Prune(usize),
    Verify,
    Hold,
    Release,
}
