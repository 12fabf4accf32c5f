//! That everything ends, and that nobody is kept out by the dead.

use super::{History, Outcome, Violation};

/// What a history may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long an operation may last, without the time in which its client stood still.
    pub longest: u64,
    /// From this operation on nothing goes wrong any more, so that everything succeeds.
    pub calm_from: usize,
}

/// Whether everything ended in time, and all was well when nothing went wrong any more.
///
/// # Errors
/// The first operation that lasted too long, or failed though nothing was in its way.
pub fn liveness(history: &History, limits: Limits) -> Result<(), Violation> {
    for (index, op) in history.ops.iter().enumerate() {
        let of_client = history.down.iter().filter(|down| down.client == op.client);
        let stood_still: u64 = of_client
            .filter_map(|down| Some((down.from.max(op.start), down.until?.min(op.end))))
            .map(|(from, until)| until.saturating_sub(from))
            .sum();
        let lasted = op.end.saturating_sub(op.start).saturating_sub(stood_still);
        if lasted > limits.longest {
            return Err(Violation(format!("#{index} lasted {lasted}: {op:?}")));
        }
        let is_refused = matches!(op.outcome, Outcome::Busy | Outcome::Failed | Outcome::Unknown);
        let is_release = matches!(op.call, super::Call::Release { .. });
        if index >= limits.calm_from && is_refused && !is_release {
            return Err(Violation(format!("#{index} failed though all was calm: {op:?}")));
        }
    }
    Ok(())
}
