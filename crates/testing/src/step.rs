//! What a program does with a repository, and what else may happen.

use pitstop::Format;

use super::operations::repair::Harm;
use super::operations::{
    Operation, convert, copy, create, discard, last, left, look, remove, repair, save, trash,
    writer,
};

pub(crate) type Id = &'static str;

/// Makes a [`Step`] of each operation.
macro_rules! steps {
    ($(
        $(#[$doc:meta])*
        $file:ident::$name:ident $(($($field:ident: $type:ty),*))?,
    )*) => {
        /// One call of the library, or something that happens.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Step {
            $($(#[$doc])* $name $(($($type),*))?,)*
        }

        impl Step {
            /// How it is done, what it may leave, and what must be found then.
            pub(crate) fn operation(self) -> Box<dyn Operation> {
                match self {
                    $(Self::$name $(($($field),*))? => Box::new($file::$name $(($($field),*))?),)*
                }
            }
        }
    };
}

steps! {
    create::Create(id: Id),
    /// Creates a session that replaces the last one.
    create::Replace(id: Id),
    /// Saves the payload of this number: by the writer that is held, if there is one.
    save::Save(id: Id, number: u32),
    /// Saves what comes in pieces.
    save::Stream(id: Id, number: u32),
    /// Saves, on condition that nobody saved in between.
    save::Follow(id: Id, number: u32),
    /// Makes the revision of this payload the newest.
    save::Restore(id: Id, number: u32),
    /// Makes the second session of the newest checkpoint of the first.
    copy::Fork(from: Id, to: Id),
    /// Copies the session of this name from [`SOURCE`](super::scenario::SOURCE).
    copy::Copy(id: Id),
    /// Makes it keep its checkpoints in the other format.
    convert::Convert(id: Id, to: Format),
    /// Gives up the revisions before that of this payload.
    discard::GiveUp(id: Id, number: u32),
    /// Writes it into an archive.
    copy::Export(id: Id),
    /// Makes the session of an archive of what is in [`SOURCE`](super::scenario::SOURCE).
    copy::Import(id: Id),
    /// Becomes the writer, and stays it.
    writer::Hold(id: Id),
    writer::Release(id: Id),
    last::MakeLast(id: Id),
    remove::Remove(id: Id),
    /// The same, of a session that can get no other name.
    remove::RemoveInPlace(id: Id),
    trash::Trash(id: Id),
    /// Takes the session out of the trash, under its name.
    trash::PutBack(id: Id),
    /// Deletes it from the trash.
    trash::EmptyTrash(id: Id),
    /// Deletes what killed processes left.
    trash::Sweep,
    /// Loads all that the session keeps, and sees that nothing is damaged.
    look::Verify(id: Id),
    /// Looks at what lies beside the sessions.
    look::VerifyAll,
    /// Makes it one that can be used again.
    repair::Repair(id: Id),
    /// The same, of the link to the last session.
    last::RepairLast,
    writer::Unlock(id: Id),
    /// Lists, loads, and asks for the last session.
    look::Look(id: Id),
    /// The program puts files of its own into the session's directory.
    left::OwnFiles(id: Id),
    /// The same file, which nobody flushed.
    left::UnflushedFile(id: Id),
    /// A program keeps a session in [`SOURCE`](super::scenario::SOURCE), with files of its own.
    copy::Source(id: Id),
    /// Somebody puts a file where a link of the session belongs.
    repair::Misplace(id: Id),
    /// Something of the journal is lost, whose first segment is its only one.
    repair::Damage(id: Id, harm: Harm),
    /// PlainBox makes a session.
    create::Foreign(id: Id),
    /// A save is killed.
    left::Unfinished(id: Id),
    /// A save of this payload is killed in its write, when so many bytes are written.
    left::CutShort(id: Id, number: u32, written: usize),
    /// A conversion is killed just before it counts.
    convert::HalfConverted(id: Id),
    /// A removal, a creation and a change of the last session are killed.
    trash::Debris(id: Id),
    /// PlainBox is killed while it saves.
    left::Leftover(id: Id),
    /// The same, so long ago that it lasts.
    left::OldLeftover(id: Id),
    /// Saves, and is told that PlainBox may be saving.
    save::Locked(id: Id, number: u32),
    /// Saves what follows what is there, unless PlainBox is faster.
    save::Contend(id: Id, number: u32),
    /// One that made this the last session was killed, and the repository was moved since.
    last::LeftLink(id: Id),
    /// Somebody puts a file where the link to the last session belongs.
    last::LastIsFile,
    /// Or a directory.
    last::LastIsDirectory,
    /// Somebody made this one the last session, in the middle of the step before.
    last::LastIs(id: Id),
    writer::Wait(seconds: u64),
    /// Every process is killed, and a new one starts.
    writer::Kill,
}
