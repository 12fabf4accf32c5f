//! What a program does with a repository, and what else may happen.

use pitstop::Format;

pub(crate) type Id = &'static str;

/// One call of the library, or something that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Create(Id),
    /// Creates a session that replaces the last one.
    Replace(Id),
    /// Saves the payload of this number: by the writer that is held, if there is one.
    Save(Id, u32),
    /// Saves what comes in pieces.
    Stream(Id, u32),
    /// Saves, on condition that nobody saved in between.
    Follow(Id, u32),
    /// Makes the revision of this payload the newest.
    Restore(Id, u32),
    /// Makes the second session of the newest checkpoint of the first.
    Fork(Id, Id),
    /// Copies the session of this name from [`SOURCE`](super::scenario::SOURCE).
    Copy(Id),
    /// Makes it keep its checkpoints in the other format.
    Convert(Id, Format),
    /// Gives up the revisions before that of this payload.
    GiveUp(Id, u32),
    /// Writes it into an archive.
    Export(Id),
    /// Makes the session of an archive of what is in [`SOURCE`](super::scenario::SOURCE).
    Import(Id),
    /// Becomes the writer, and stays it.
    Hold(Id),
    Release(Id),
    MakeLast(Id),
    Remove(Id),
    Trash(Id),
    /// Takes the session out of the trash, under its name.
    PutBack(Id),
    /// Deletes it from the trash.
    EmptyTrash(Id),
    /// Deletes what killed processes left.
    Sweep,
    /// Loads all that the session keeps, and sees that nothing is damaged.
    Verify(Id),
    /// Looks at what lies beside the sessions.
    VerifyAll,
    /// Makes it one that can be used again.
    Repair(Id),
    /// The same, of the link to the last session.
    RepairLast,
    Unlock(Id),
    /// Lists, loads, and asks for the last session.
    Look(Id),
    /// The program puts files of its own into the session's directory.
    OwnFiles(Id),
    /// The same file, which nobody flushed.
    UnflushedFile(Id),
    /// A program keeps a session in [`SOURCE`](super::scenario::SOURCE), with files of its own.
    Source(Id),
    /// Somebody puts a file where a link of the session belongs.
    Misplace(Id),
    /// Something of the journal is lost, whose first segment is its only one.
    Damage(Id, Harm),
    /// PlainBox makes a session.
    Foreign(Id),
    /// A save is killed.
    Unfinished(Id),
    /// A save of this payload is killed in the middle of its write.
    CutShort(Id, u32),
    /// A conversion is killed just before it counts.
    HalfConverted(Id),
    /// A removal, a creation and a change of the last session are killed.
    Debris(Id),
    /// PlainBox is killed while it saves.
    Leftover(Id),
    /// The same, so long ago that it lasts.
    OldLeftover(Id),
    /// Saves, and is told that PlainBox may be saving.
    Locked(Id, u32),
    /// Saves what follows what is there, unless PlainBox is faster.
    Contend(Id, u32),
    /// One that made this the last session was killed, and the repository was moved since.
    LeftLink(Id),
    /// Somebody puts a file where the link to the last session belongs.
    LastIsFile,
    /// Or a directory.
    LastIsDirectory,
    /// Somebody made this one the last session, in the middle of the step before.
    LastIs(Id),
    Wait(u64),
    /// Every process is killed, and a new one starts.
    Kill,
}

/// What may be lost of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Harm {
    /// The first block of a segment, of whose header there is a copy.
    FirstBlock,
    /// The header of a segment with all its copies, and so all in it.
    Header,
    /// The end of a segment, and so the newest record in it.
    End,
    /// The file that says that there is a journal.
    Mark,
}

impl Step {
    /// Whether it is not Pitstop that does it.
    pub(crate) fn is_by_others(self) -> bool {
        matches!(
            self,
            Self::OwnFiles(_)
                | Self::UnflushedFile(_)
                | Self::Source(_)
                | Self::Misplace(_)
                | Self::Damage(..)
                | Self::Foreign(_)
                | Self::Unfinished(_)
                | Self::CutShort(..)
                | Self::HalfConverted(_)
                | Self::Debris(_)
                | Self::Leftover(_)
                | Self::OldLeftover(_)
                | Self::LeftLink(_)
                | Self::LastIsFile
                | Self::LastIsDirectory
                | Self::LastIs(_)
        )
    }
}
