//! The hint: a small file that says which commit is the newest. It is never flushed.

use twox_hash::XxHash3_64;

use super::super::bytes::{u16_at, u64_at};
use super::layout::{Commit, Place, VERSION};
use crate::directory::{journal, names};
use crate::error::Result;
use crate::sys::{Access, Directory, File, Identity, Outcome, found};

const MAGIC: [u8; 8] = *b"PITSTOPh";
const LEN: usize = 128;
/// Two slots, in sectors apart, that are written in turn.
const SLOTS: [u64; 2] = [0, 512];
const FILE_LEN: usize = 1024;

/// What a hint says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Published {
    /// Whether the writer ended in order, and left nothing to clear up.
    pub is_closed: bool,
    pub journal: u64,
    pub commit: Commit,
    /// The ring with the newest commit's record, and that record. The ring alone if there is no commit.
    pub place: Place,
    /// The salt of that ring.
    pub salt: u64,
}

/// A hint as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    pub published: Published,
    /// Whether it was written to this file under this kernel: then it says what was published last.
    pub is_exact: bool,
    /// The inode of `session.writer` when it was written.
    pub lock: u64,
    /// The mount through which it was written; 0 if that has no number of its own.
    mount: u64,
    count: u64,
    inode: u64,
    boot: u64,
}

impl Hint {
    /// Whether its file system has been there all the time since, as far as can be told.
    pub(super) fn is_of_mount(&self, session: &Directory) -> Outcome<bool> {
        Ok(session.mount_number()?.is_some_and(|it| it == self.mount))
    }

    /// Reads the hint of a session; `None` if there is none that is whole.
    pub(super) fn read(session: &Directory) -> Result<Option<Self>> {
        let Some(file) = found(session.open_file(names::HINT, Access::Read))? else {
            return Ok(None);
        };
        Ok(Self::of(&file, session)?)
    }

    fn of(file: &File, session: &Directory) -> Outcome<Option<Self>> {
        let bytes = match file.read_at(0, FILE_LEN) {
            // It was cut short, or is being made.
            Err(failure) if failure.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            bytes => bytes?,
        };
        let slots = SLOTS.iter().filter_map(|at| Self::decode(&bytes[*at as usize..]));
        let Some(mut hint) = slots.max_by_key(|it| it.count) else { return Ok(None) };
        let here = session.identity(names::HINT)?;
        let boot = session.boot()?;
        hint.is_exact = hint.boot == boot && here.is_some_and(|it| it.inode == hint.inode);
        Ok(Some(hint))
    }

    /// A file that says this, and nothing else.
    fn whole(&self) -> Vec<u8> {
        let mut bytes = vec![0; FILE_LEN];
        bytes[self.slot() as usize..][..LEN].copy_from_slice(&self.encode());
        bytes
    }

    fn slot(&self) -> u64 {
        SLOTS[(self.count % 2) as usize]
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let slot = bytes.get(..LEN)?;
        let is_sound = slot[..8] == MAGIC
            && u16_at(slot, 8) == VERSION
            && u64_at(slot, 120) == XxHash3_64::oneshot(&slot[..120]);
        let number = |at| u64_at(slot, at);
        is_sound.then(|| Self {
            published: Published {
                is_closed: slot[10] == 1,
                journal: number(40),
                commit: Commit { lsn: number(48), revision: number(56), check: number(64) },
                salt: number(72),
                place: Place::decode(slot, 80),
            },
            is_exact: false,
            lock: number(96),
            mount: number(104),
            count: number(16),
            boot: number(24),
            inode: number(32),
        })
    }

    fn encode(&self) -> Vec<u8> {
        let Self { published, lock, mount, count, boot, inode, .. } = *self;
        let Published { is_closed, journal, commit, place, salt } = published;
        let mut slot = Vec::with_capacity(LEN);
        slot.extend(MAGIC);
        slot.extend(VERSION.to_le_bytes());
        slot.extend([u8::from(is_closed), 0, 0, 0, 0, 0]);
        let Commit { lsn, revision, check } = commit;
        let numbers = [count, boot, inode, journal, lsn, revision, check, salt];
        slot.extend(numbers.into_iter().flat_map(u64::to_le_bytes));
        place.encode(&mut slot);
        slot.extend(lock.to_le_bytes());
        slot.extend(mount.to_le_bytes());
        slot.resize(120, 0);
        slot.extend(XxHash3_64::oneshot(&slot).to_le_bytes());
        slot
    }
}

/// The hint in the hands of the writer.
#[derive(Debug)]
pub(super) struct Publisher {
    file: File,
    /// The file as its name led to it.
    identity: Identity,
    last: Hint,
    is_short: bool,
}

impl Publisher {
    /// Opens the hint, if no other name leads to it; `None` if it has to be made anew. What it says is only
    /// relied on if it is exact, and of the same `session.writer`.
    pub(super) fn open(session: &Directory, lock: u64) -> Result<Option<Self>> {
        let Some(file) = found(session.open_file(names::HINT, Access::Write))? else {
            return Ok(None);
        };
        let Some(identity) = session.identity(names::HINT)?.filter(|it| it.links == 1) else {
            return Ok(None);
        };
        // Its length is not flushed either.
        let is_short = file.metadata()?.size < FILE_LEN as u64;
        let (boot, inode) = (session.boot()?, identity.inode);
        let found = Hint::of(&file, session)?;
        let is_own = found.is_some_and(|it| it.is_exact && it.lock == lock && it.inode == inode);
        let published = found.map(|it| it.published).unwrap_or_default();
        let count = found.map_or(0, |it| it.count);
        let mount = session.mount_number()?.unwrap_or(0);
        let last = Hint { published, is_exact: is_own, lock, mount, count, inode, boot };
        Ok(Some(Self { file, identity, last, is_short }))
    }

    /// Makes a hint anew under another name, and gives it its own. A claim takes that from any other; else there
    /// must be none.
    pub(super) fn make(
        session: &Directory,
        published: Published,
        lock: u64,
        is_claim: bool,
    ) -> Result<Self> {
        let name = names::staged_hint(journal::number());
        let made = Self::make_as(session, &name, published, lock);
        let named = made.and_then(|made| {
            match is_claim {
                true => session.rename(&name, names::HINT)?,
                false => session.rename_new(&name, names::HINT)?,
            }
            Ok(made)
        });
        if named.is_err() {
            let _ = session.remove_file(&name);
        }
        named
    }

    fn make_as(session: &Directory, name: &str, published: Published, lock: u64) -> Result<Self> {
        let file = session.open_file(name, Access::CreateNew)?;
        let gone = || crate::sys::Failure::gone(file.path());
        let identity = session.identity(name)?.ok_or_else(gone)?;
        let (boot, inode) = (session.boot()?, identity.inode);
        let mount = session.mount_number()?.unwrap_or(0);
        let last = Hint { published, is_exact: true, lock, mount, count: 1, inode, boot };
        file.write_all(&last.whole())?;
        Ok(Self { file, identity, last, is_short: false })
    }

    /// Whether it says already what this writer has published last.
    pub(super) fn is_exact(&self) -> bool {
        self.last.is_exact
    }

    pub(super) fn published(&self) -> Published {
        self.last.published
    }

    /// Whether the name still leads to this file, and no other does.
    pub(super) fn is_in_place(&self, session: &Directory) -> Outcome<bool> {
        let here = session.identity(names::HINT)?;
        Ok(here.is_some_and(|it| it.is_same_file(&self.identity) && it.links == 1))
    }

    /// Says what the newest commit is. Every save acknowledged before is published before.
    pub(super) fn publish(&mut self, published: Published) -> Outcome<()> {
        let next = Hint { published, is_exact: true, count: self.last.count + 1, ..self.last };
        match self.is_short {
            true => self.file.write_all(&next.whole())?,
            false => self.file.write_all_at(&[&next.encode()], next.slot())?,
        }
        self.is_short = false;
        self.last = next;
        Ok(())
    }
}
