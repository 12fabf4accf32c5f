//! Where a journal goes on: what a writer knows of it.

use super::fence::Own;
use super::hint::{Published, Publisher};
use super::layout::{BLOCK, Commit, Place};
use super::record::{Header, Kind, Record};
use super::standing::Standing;
use super::view::View;
use super::window::{Added, Window};
use crate::checkpoint::Retention;
use crate::directory::journal::deltas::Deltas;
use crate::error::Result;
use crate::sys::Directory;
use std::time::SystemTime;

/// Rings of up to this size are made for as many records as fit, longer ones for what retention keeps.
const LARGE: u64 = 8 << 20;
/// A new ring is at least this long.
pub(super) const LEAST: u64 = 32 * 1024;
/// What a ring takes beside its records: a header at either end, and a block for a mark.
pub(super) const AROUND: u64 = 3 * BLOCK;

/// Where a journal goes on.
#[derive(Debug)]
pub(super) struct Tail {
    pub journal: u64,
    /// The newest commit, even if its record is lost.
    pub commit: Commit,
    pub newest: Option<Record>,
    /// The newest checkpoint.
    pub checkpoint: Option<Record>,
    /// The next revision to be given.
    pub next: u64,
    /// The oldest revision that is kept, as the newest commit says.
    pub kept: u64,
    pub window: Window,
    /// The first block that something needs which the newest commit counts as kept.
    pub floor: Option<Place>,
    /// Whether something that is kept cannot be reached: then no space is used again.
    pub is_broken: bool,
    /// Commits that jumps may lead to.
    pub path: Vec<(u64, u64, Place)>,
    /// The ring that is written, and the block behind the last one that a record can take; `None` if the next
    /// save has to begin a new ring.
    pub ring: Option<(Own, u32)>,
    /// The highest number of any file.
    pub top: u64,
    /// Files of lower numbers than this one are deleted, as far as that is known.
    pub cleared: u64,
    /// Files whose headers are lost. They are moved aside when something newer is saved.
    pub damaged: Vec<String>,
    /// `None` if the hint has to be made anew before anything is written.
    pub publisher: Option<Publisher>,
    /// Whether that takes the hint's name from a writer that was displaced.
    pub is_claim: bool,
    pub deltas: Deltas,
    /// Whether the checkpoint before was looked for, to store the next one against.
    pub is_resumed: bool,
    first_ring: u64,
}

impl Tail {
    pub(super) fn empty(journal: u64, ring: u64) -> Self {
        Self {
            journal,
            commit: Commit::default(),
            newest: None,
            checkpoint: None,
            next: 1,
            kept: 0,
            window: Window::default(),
            floor: None,
            is_broken: false,
            path: Vec::new(),
            ring: None,
            top: ring,
            cleared: 0,
            damaged: Vec::new(),
            publisher: None,
            is_claim: false,
            deltas: Deltas::default(),
            is_resumed: false,
            first_ring: ring,
        }
    }

    /// The ring of the newest commit.
    pub(super) fn top_ring(&self) -> u64 {
        self.newest.as_ref().map_or(self.first_ring, |it| it.place.file)
    }

    /// The block of the ring that is written where a record of this length goes, if there is room: one block
    /// stays for a mark.
    pub(super) fn space(&self, blocks: u32, kind: Kind) -> Option<u32> {
        let (own, end) = self.ring.as_ref()?;
        let number = own.ring.number;
        let here = |place: &Place| place.file == number;
        let head = self.newest.as_ref().map(|it| it.place).filter(here).map_or(1, Place::end);
        let needed = self.floor.filter(here).map(|it| it.block);
        let len = blocks.checked_add(u32::from(kind != Kind::Mark))?;
        let fits = |at: u32, limit: u32| at.checked_add(len).is_some_and(|end| end <= limit);
        match needed {
            // It goes round: what is needed begins behind it.
            Some(tail) if tail >= head => fits(head, tail).then_some(head),
            _ if fits(head, *end) => Some(head),
            Some(tail) if !self.is_broken => fits(1, tail).then_some(1),
            _ => None,
        }
    }

    /// How long a new ring for a record of this length is.
    pub(super) fn wanted(&self, len: u64) -> u64 {
        let kept = self.window.bytes(self.newest.as_ref().map_or(0, |it| it.header.bytes));
        let least = AROUND + len;
        let wanted = match 4 * (kept + len) {
            small @ 0..=LARGE => small.next_power_of_two(),
            // Rings of a journal that keeps all do not become longer and longer.
            _ if kept > 16 * len => LARGE,
            _ => (kept + 3 * len).next_multiple_of(1 << 20),
        };
        wanted.clamp(LEAST, u64::MAX / 2).max(least)
    }

    /// Which revisions a save by this rule keeps.
    pub(super) fn shrink(
        &mut self,
        session: &Directory,
        rule: Retention,
        blocks: u32,
        size: u64,
        now: SystemTime,
    ) -> Result<u64> {
        let Some(newest) = &self.newest else { return Ok(self.kept) };
        let bytes = newest.header.bytes + u64::from(blocks) * BLOCK;
        let added = Added { count: newest.header.count + 1, bytes, size, now };
        let mut view = View::new(session, Standing::empty(self.journal));
        let oldest = self.window.shrink(&mut view, newest, rule, &added)?;
        Ok(oldest.map_or(self.kept, |oldest| oldest.max(self.kept)))
    }

    /// The header of the next commit. What it is of is for the caller to fill in.
    pub(super) fn next_header(&self, draft: Header) -> Header {
        let lsn = self.commit.lsn + 1;
        let place = self.newest.as_ref().map(|it| it.place).unwrap_or_default();
        let target = lsn & (lsn - 1);
        let jump = self.path.iter().find(|it| it.0 == target).filter(|_| target > 0);
        let jump = jump.map(|it| (it.2, it.1)).unwrap_or_default();
        Header { lsn, previous: (place, self.commit), jump, ..draft }
    }

    /// What is to be published of the newest commit, in the ring of this salt.
    pub(super) fn published(&self, salt: u64) -> Published {
        let nowhere = Place { file: self.top_ring(), ..Place::default() };
        Published {
            is_closed: false,
            journal: self.journal,
            commit: self.commit,
            place: self.newest.as_ref().map_or(nowhere, |it| it.place),
            salt,
        }
    }

    /// Notes a commit that was acknowledged.
    pub(super) fn acknowledge(&mut self, record: Record) {
        self.commit = record.commit();
        self.is_broken &= record.header.kept <= self.kept;
        self.kept = record.header.kept;
        self.next = self.next.max(record.header.revision + 1);
        let lsn = record.header.lsn;
        let target = lsn & (lsn - 1);
        self.path.retain(|it| it.0 <= target);
        self.path.push((lsn, record.header.revision, record.place));
        if record.header.kind != Kind::Mark {
            self.window.push(&record);
            self.checkpoint = Some(record.clone());
        }
        self.newest = Some(record);
        self.floor = self.window.needs();
    }

    /// The number of the first ring in which something is kept, if lower ones may be there to be deleted.
    pub(super) fn first_needed(&self) -> Option<u64> {
        let first = self.floor.filter(|_| !self.is_broken)?.file;
        (first > self.cleared).then_some(first)
    }
}
