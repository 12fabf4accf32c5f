//! Says what is wrong with a history that no order explains.

use std::collections::HashMap;
use std::fmt::Write;

use super::{Call, History, Op, Outcome, Payload, Violation};

/// How many operations around the place are shown.
const SHOWN: usize = 14;

/// `stuck` are those of which none could come next.
pub(super) fn violation(history: &History, stuck: &[usize]) -> Violation {
    let kind = kinds(history).into_iter().next();
    let mut text =
        kind.unwrap_or_else(|| "no order of the operations explains what was told".to_owned());
    let _ = write!(text, "; none of these could come next:");
    for index in stuck {
        let _ = write!(text, "\n  > {}", line(*index, &history.ops[*index]));
    }
    let at = stuck.iter().map(|index| history.ops[*index].start).min().unwrap_or(u64::MAX);
    let before = history.ops.iter().enumerate().filter(|(_, op)| op.start < at);
    let before: Vec<_> = before.collect();
    let _ = write!(text, "\nbefore them:");
    for (index, op) in before.iter().rev().take(SHOWN).rev() {
        let _ = write!(text, "\n    {}", line(*index, op));
    }
    for down in &history.down {
        let _ = write!(text, "\n    {down:?}");
    }
    Violation(text)
}

fn line(index: usize, op: &Op) -> String {
    let Op { client, call, start, end, outcome } = op;
    format!("#{index} client {client}, {start} to {end}: {call:?} -> {outcome:?}")
}

/// The faults that can be named, the clearest first.
fn kinds(history: &History) -> Vec<String> {
    let mut seen: HashMap<Payload, Vec<(u64, usize)>> = HashMap::new();
    for (index, op) in history.ops.iter().enumerate() {
        match &op.outcome {
            Outcome::Loaded { revision, payload } => {
                seen.entry(*payload).or_default().push((*revision, index));
            }
            Outcome::Kept(kept) => {
                for (revision, payload) in kept {
                    seen.entry(*payload).or_default().push((*revision, index));
                }
            }
            _ => (),
        }
    }
    let mut kinds = Vec::new();
    for (index, op) in history.ops.iter().enumerate() {
        let (Call::Save { payload, .. } | Call::Write { payload, .. }) = &op.call else { continue };
        let Some(seen) = seen.get(payload) else { continue };
        let (first, by) = seen[0];
        if let Some((other, also)) = seen.iter().find(|(revision, _)| *revision != first) {
            kinds.push(format!(
                "save #{index} counts twice: as {first} in #{by}, as {other} in #{also}"
            ));
        }
        match op.outcome {
            Outcome::Saved(told) if told != first => {
                kinds.push(format!("save #{index} was told {told}, and #{by} shows it as {first}"));
            }
            Outcome::Saved(_) | Outcome::Unknown => (),
            _ => kinds.push(format!("save #{index} was refused, and #{by} shows it")),
        }
    }
    kinds
}
