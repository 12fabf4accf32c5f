//! Readers beside a writer, in any order of their calls.
//!
//! A reader takes no lock and changes nothing, so a writer does the same whether somebody reads or not. Each
//! scenario is run once, and every moment of its disk is kept. Then a reader runs on a disk that shows one
//! moment after the other: before each of its calls the schedule says how far the writer has come. Writes
//! are cut into pieces, so that a reader also sees halves of them.
//!
//! An answer is right if it is what the same question gives where the writer stands still at one of the
//! moments between the start and the end of the call. What is found there is judged as after a kill by the
//! suite of crashes; here it must be no damage.
//!
//! A failure prints the text that replays it, `readers/journal/rotation/load a/12,3+40,9+700`: the scenario, the
//! question, the moment at which it was asked, and before which calls the writer went on by how many moments.

mod question;
mod schedule;
mod timeline;

use std::fmt;

use super::longer;
use super::parallel;
use super::random::Random;
use super::replay;
use super::scenario::{Scenario, scenarios};
use schedule::Schedule;
use timeline::Timeline;

/// What became of one scenario.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReaderVerdict {
    /// Its name.
    pub scenario: String,
    /// How many moments it has.
    pub moments: usize,
    /// How many times a reader asked something, each time beside another schedule of the writer.
    pub schedules: usize,
    /// How many of the answers differ from what was true when the reader began.
    pub overtaken: usize,
    /// The first answer of each question that was never true, and how to replay it.
    pub failures: Vec<String>,
}

impl fmt::Display for ReaderVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, moments, schedules, overtaken, failures } = self;
        write!(
            f,
            "{scenario:28} {moments:5} moments {schedules:6} schedules {overtaken:6} overtaken"
        )?;
        failures.iter().take(10).try_for_each(|failure| write!(f, "\n  BROKEN: {failure}"))
    }
}

/// Runs a reader beside every scenario, with `samples` schedules for each question, and so many times more as
/// `PITSTOP_LONGER` says; or the one schedule that `PITSTOP_REPLAY` names.
pub fn readers(samples: usize) -> Vec<ReaderVerdict> {
    let samples = samples * longer::times();
    let wanted = match replay::wanted("readers") {
        replay::Wanted::All => None,
        replay::Wanted::Nothing => return Vec::new(),
        replay::Wanted::This(spec) => Some(spec),
    };
    let mut all: Vec<Scenario> = scenarios();
    if let Some(spec) = &wanted {
        all.retain(|scenario| spec.starts_with(&format!("{scenario}/")));
    }
    all.sort_by_key(|scenario| std::cmp::Reverse(scenario.steps.len()));
    parallel::map(&all, |scenario| {
        let only = wanted.as_ref().and_then(|spec| spec.strip_prefix(&format!("{scenario}/")));
        read_beside(scenario, samples, only)
    })
}

fn read_beside(scenario: &Scenario, samples: usize, only: Option<&str>) -> ReaderVerdict {
    let mut verdict = ReaderVerdict {
        scenario: scenario.to_string(),
        moments: 0,
        schedules: 0,
        overtaken: 0,
        failures: Vec::new(),
    };
    let timeline = match Timeline::of(scenario) {
        Ok(timeline) => timeline,
        Err(error) => {
            verdict.failures.push(format!("{scenario}: {error:?}"));
            return verdict;
        }
    };
    verdict.moments = timeline.moments.len();
    for (number, question) in timeline.questions.iter().enumerate() {
        let spec = only.map(|only| only.strip_prefix(&format!("{question}/")));
        if spec == Some(None) {
            continue;
        }
        let mut random = Random(number as u64);
        let outcome = timeline.truth(*question).and_then(|truth| {
            let mut ask = |schedule: &Schedule| {
                let answer = timeline.ask(*question, schedule)?;
                verdict.schedules += 1;
                verdict.overtaken += usize::from(truth.judge(&answer)?);
                Ok(())
            };
            match spec.flatten().map(|spec| Schedule::parse(spec).ok_or(spec)) {
                Some(Ok(schedule)) => ask(&schedule),
                Some(Err(spec)) => Err(format!("'{spec}' is no schedule")),
                None => (0..samples)
                    .try_for_each(|_| ask(&Schedule::random(&mut random, &timeline, truth.calls))),
            }
        });
        verdict.failures.extend(outcome.err());
    }
    verdict
}
