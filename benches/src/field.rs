//! The peers side by side: they take turns, so that what else the machine does hits all alike.

use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::options::Options;
use crate::peers::{Kind, Peer};
use crate::table::{Column, Unit};

/// Some of each kind of peer, in directories of their own, and how long they took so far.
pub struct Field {
    pub lanes: Vec<Lane>,
    round: usize,
    _scratch: TempDir,
}

pub struct Lane {
    pub name: &'static str,
    pub peers: Vec<Box<dyn Peer>>,
    pub times: Vec<Duration>,
}

impl Field {
    /// So many of each kind, for states of up to so many bytes.
    pub fn open(options: &Options, number: usize, most: usize) -> Result<Self> {
        let scratch = TempDir::new_in(&options.scratch)?;
        let lane = |(n, kind): (usize, &Kind)| {
            let open = |it: usize| {
                let place = scratch.path().join(format!("{n}-{it}"));
                std::fs::create_dir(&place)?;
                (kind.open)(&place, most).context(kind.name)
            };
            let peers = (0..number).map(open).collect::<Result<_>>()?;
            Ok(Lane { name: kind.name, peers, times: Vec::new() })
        };
        let lanes = options.peers.iter().enumerate().map(lane).collect::<Result<_>>()?;
        Ok(Self { lanes, round: 0, _scratch: scratch })
    }

    /// One round: each lane in turn, beginning with another one each time.
    pub fn round(&mut self, mut turn: impl FnMut(&mut Lane) -> Result<()>) -> Result<()> {
        let all = self.lanes.len();
        for n in 0..all {
            let lane = &mut self.lanes[(self.round + n) % all];
            turn(lane).context(lane.name)?;
        }
        self.round += 1;
        Ok(())
    }

    /// A round in which each saves these states.
    pub fn save(&mut self, states: &[&[u8]]) -> Result<()> {
        self.round(|lane| {
            lane.times.extend(lane.peers[0].save_all(states)?);
            Ok(())
        })
    }

    /// Forgets how long they took while they warmed up.
    pub fn start(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.times.clear());
    }

    pub fn column(self, head: impl Into<String>) -> Column {
        let times = self.lanes.into_iter().map(|lane| (lane.name, lane.times)).collect();
        Column { head: head.into(), unit: Unit::Time, cells: times }
    }
}
