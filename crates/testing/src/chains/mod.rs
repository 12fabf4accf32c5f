//! Chains of crashes: a program works, and is hit; another goes on with what is left, and is hit in its turn;
//! and so on.
//!
//! What a program does is picked at random: it saves, prunes, verifies and loads, as a writer that it keeps or
//! by itself. What hits it is a kill in the middle of a call, a flush or a write that fails, or a power
//! cut at any moment, which tears the writes that are under way in sectors, in pages, or leaves
//! garbage in them. Programs try again what a crash took from them, so that the same bytes come to
//! the same places.
//!
//! The [`ledger`] says what may be found: no save that did not happen ever comes to life, none gives anything up,
//! and no number is given to two saves.
//!
//! A failure prints what happened, and the text that replays it: `chains/journal-1/77`.

mod ledger;
mod program;

use std::fmt;

use super::longer;
use super::parallel;
use super::replay;
use super::subject::{JOURNALS, Subject};
use program::Chain;

/// How many crashes a chain has.
const DEPTH: usize = 6;

/// What became of the chains on one format.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ChainVerdict {
    /// The format, and its version.
    pub subject: &'static str,
    /// How many chains there were.
    pub chains: usize,
    /// How many programs were hit, in all of them.
    pub crashes: usize,
    /// The first chains that broke a promise: what happened, and how to replay them.
    pub failures: Vec<String>,
}

impl fmt::Display for ChainVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, chains, crashes, failures } = self;
        write!(f, "{subject}: {chains} chains of {crashes} crashes, {} broken", failures.len())?;
        failures.iter().take(3).try_for_each(|failure| write!(f, "\n  BROKEN: {failure}"))
    }
}

/// Runs so many chains on each version of the journal, and so many times more as `PITSTOP_LONGER` says; or the one
/// that `PITSTOP_REPLAY` names.
pub fn chains(count: usize) -> Vec<ChainVerdict> {
    let wanted = match replay::wanted("chains") {
        replay::Wanted::All => None,
        replay::Wanted::Nothing => return Vec::new(),
        replay::Wanted::This(spec) => Some(spec),
    };
    let count = count * longer::times();
    JOURNALS.iter().map(|subject| chains_on(subject, count, wanted.as_deref())).collect()
}

fn chains_on(subject: &'static Subject, count: usize, wanted: Option<&str>) -> ChainVerdict {
    let seeds: Vec<u64> = match wanted {
        None => (0..count as u64).collect(),
        Some(spec) => {
            let seed = spec.strip_prefix(subject.name).and_then(|it| it.strip_prefix('/'));
            seed.and_then(|seed| seed.parse().ok()).into_iter().collect()
        }
    };
    let outcomes = parallel::map(&seeds, |seed| {
        let mut chain = Chain::new(subject, *seed);
        let outcome = (0..DEPTH).try_for_each(|_| chain.link());
        outcome.map_err(|text| {
            format!("chains/{}/{seed}: {text}\n    {}", subject.name, chain.log.join("\n    "))
        })
    });
    let failures: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    let chains = seeds.len();
    ChainVerdict { subject: subject.name, chains, crashes: chains * DEPTH, failures }
}
