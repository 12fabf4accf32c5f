//! All moments of a writer's run, and what was true at each.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pitstop::seam::open_on;
use pitstop::{Error, Repository};

use super::question::Question;
use super::schedule::Schedule;
use crate::disk::{Moment, SimulatedDisk};
use crate::hook::{Action, HookedDisk, Operation};
use crate::run::{Run, Wrap};
use crate::scenario::Scenario;

/// A kernel copies page by page; these are smaller, so that also the two copies of a header come apart.
const PIECE: usize = 3 * 512;
/// Long writes are cut into so many pieces, so that the moments stay few.
const PIECES: usize = 6;
/// Of so many revisions of a session it is asked whether they can be loaded.
const REVISIONS: usize = 8;

pub(super) struct Timeline {
    scenario: Scenario,
    pub moments: Arc<[Moment]>,
    /// What a reader may ask.
    pub questions: Vec<Question>,
}

impl Timeline {
    pub(super) fn of(scenario: &Scenario) -> Result<Self, Error> {
        let mut run = Run::of(scenario, &in_pieces())?;
        // A reader has files open of which the writer's disk knows nothing.
        run.disk.keep_inodes();
        run.disk.record();
        let mut numbers = BTreeSet::new();
        let ids = |run: &Run| run.world.sessions.keys().copied().collect::<Vec<_>>();
        for step in &scenario.steps {
            run.step(*step)?;
            for id in ids(&run) {
                let history = run.repository.get(id).and_then(|session| session.history());
                let revisions = history.map(|it| it.revisions).unwrap_or_default().into_iter();
                numbers.extend(revisions.filter_map(|it| Some((id, it.info.revision.number()?))));
            }
        }
        let mut questions: Vec<Question> = ids(&run).into_iter().flat_map(Question::of).collect();
        let every = numbers.len().div_ceil(REVISIONS).max(1);
        let numbers = numbers.into_iter().step_by(every);
        questions.extend(numbers.map(|(id, number)| Question::Revision(id, number)));
        let moments = run.disk.take_history().into();
        Ok(Self { scenario: scenario.clone(), moments, questions })
    }

    /// How many moments a step has.
    pub(super) fn step_length(&self) -> usize {
        self.moments.len() / self.scenario.steps.len().max(1)
    }

    /// The truth about a question at each moment: what it is answered where the writer stands still.
    ///
    /// # Errors
    /// Where that is damage, and no step began or ended with it.
    pub(super) fn truth(&self, question: Question) -> Result<Truth, String> {
        let mut truth = Truth { moments: self.moments.clone(), answers: Vec::new(), calls: 0 };
        for moment in 0..self.moments.len() {
            let answer = self.ask(question, &Schedule::at(moment))?;
            truth.calls = answer.calls;
            truth.answers.push(answer.text);
        }
        truth.check().map_err(|it| format!("readers/{}/{question}/{it}", self.scenario))?;
        Ok(truth)
    }

    /// Runs a reader.
    pub(super) fn ask(&self, question: Question, schedule: &Schedule) -> Result<Answer, String> {
        let last = self.moments.len() - 1;
        let start = schedule.start.min(last);
        let disk = self.moments[start].under_reader();
        let (shown, calls) = (disk.clone(), Arc::new(AtomicUsize::new(0)));
        let (count, at) = (calls.clone(), Arc::new(AtomicUsize::new(start)));
        let (moments, plan, now) = (self.moments.clone(), schedule.clone(), at.clone());
        let hooked = HookedDisk::new(Arc::new(disk), move |_| {
            let moment = plan.moment(count.fetch_add(1, Ordering::Relaxed), last);
            if now.swap(moment, Ordering::Relaxed) != moment {
                shown.show(&moments[moment]);
            }
            Action::Pass
        });
        let spec = format!("readers/{}/{question}/{schedule}", self.scenario);
        let backend = open_on(Arc::new(hooked), Path::new(self.scenario.location))
            .map_err(|error| format!("{spec}: open: {error:?}"))?;
        let text = question.ask(&Repository::with_backend(backend));
        let (calls, end) = (calls.load(Ordering::Relaxed), at.load(Ordering::Relaxed));
        Ok(Answer { spec, text, calls, from: start, to: end })
    }
}

/// What was true at each moment.
pub(super) struct Truth {
    moments: Arc<[Moment]>,
    answers: Vec<String>,
    /// How many calls an answer takes.
    pub calls: usize,
}

impl Truth {
    /// What was true before the step that was under way at this moment, or after it.
    fn at_rest(&self, moment: usize, after: bool) -> Option<&str> {
        // A mark is set where a step begins, and where it ended: then it is even.
        let mark = self.moments[moment].mark;
        let mark = if after { mark.next_multiple_of(2) } else { mark & !1 };
        let rest = self.moments.iter().rposition(|it| it.mark == mark)?;
        Some(&self.answers[rest])
    }

    /// A writer at work is no damage: that is told only where it was before the step, or is behind it.
    fn check(&self) -> Result<(), String> {
        for (moment, answer) in self.answers.iter().enumerate() {
            let is_damage = answer.contains("Corrupt") || answer.contains("damaged");
            let is_of_a_rest =
                || [false, true].into_iter().any(|it| self.at_rest(moment, it) == Some(answer));
            if is_damage && !is_of_a_rest() {
                return Err(format!("{moment}: told '{answer}' in the middle of a step"));
            }
        }
        Ok(())
    }

    /// Holds an answer against what was true while it was asked for. A step that was under way when that
    /// began or ended may come before or behind it. Says whether something else was true when it began.
    pub(super) fn judge(&self, answer: &Answer) -> Result<bool, String> {
        let Answer { spec, text, from, to, .. } = answer;
        let between = self.answers[*from..=*to].iter().map(String::as_str);
        let around = [self.at_rest(*from, false), self.at_rest(*to, true)];
        let mut all = between.chain(around.into_iter().flatten());
        let given_up = text.strip_suffix(super::question::GIVEN_UP);
        if !all.clone().any(|it| it == text || Some(it) == given_up) {
            let all: BTreeSet<_> = all.collect();
            return Err(format!("{spec}: told '{text}', and true was only {all:?}"));
        }
        Ok(all.next() != Some(text))
    }
}

/// What a reader was told, and between which moments.
pub(super) struct Answer {
    spec: String,
    text: String,
    calls: usize,
    from: usize,
    to: usize,
}

/// Each write of the writer is seen in pieces.
fn in_pieces() -> Wrap {
    Arc::new(|disk: SimulatedDisk| {
        Arc::new(HookedDisk::new(Arc::new(disk), |call| match call.operation {
            Operation::Write => Action::Part(PIECE.max(call.len / PIECES)),
            _ => Action::Pass,
        }))
    })
}
