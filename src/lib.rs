//! Pitstop keeps the state of a long-running program, so that it picks up where it left off after a
//! crash, a reboot or a power cut.
//!
//! A [`Repository`] is a directory that holds sessions. A [`Session`] is a named thing in it that
//! holds the program's newest [`Checkpoint`] and, if the program wants them, files of its own. When
//! [`Session::save`] returns `Ok`, the checkpoint is on stable storage, whole, with every directory
//! entry on the way to it; when it returns an error, the checkpoint before it still stands.
//!
//! ```
//! # fn main() -> Result<(), pitstop::Error> {
//! # let scratch = tempfile::tempdir().unwrap();
//! # let place = scratch.path().join("sessions");
//! use pitstop::{Error, Repository};
//!
//! let repository = Repository::open(&place)?;
//! let session = repository.get_or_create("nightly-import")?;
//!
//! // One writer at a time: become it first, so that nobody else saves after the load.
//! let mut writer = session.writer()?;
//!
//! // Go on from the newest checkpoint, or start afresh.
//! let mut done: u32 = match session.load() {
//!     Ok(checkpoint) => String::from_utf8_lossy(&checkpoint.data).parse().unwrap_or(0),
//!     Err(Error::NoCheckpoint { .. }) => 0,
//!     Err(error) => return Err(error),
//! };
//!
//! while done < 3 {
//!     done += 1; // ... the work of one step ...
//!     writer.save(done.to_string().as_bytes())?;
//! }
//! # assert_eq!(session.load()?.data, b"3");
//! # Ok(())
//! # }
//! ```
//!
//! # How it works
//!
//! On a local disk a session is a directory `<id>.session`. It keeps a **journal**: checksummed records
//! in files that were written before, so that a save is one write and one flush, and the newest
//! revisions stay. Or it is **plain**, the layout of PlainBox, whose sessions Pitstop reads and writes:
//! a save writes a new file, flushes it, puts it in place by a rename and flushes the directory.
//! A kernel lock that dies with its owner tells whether a writer lives; nothing that a killed program
//! leaves behind has to be broken by hand.
//!
//! # Limitations
//!
//! - Linux only. The file system must support flushing of files and directories.
//! - Fork first, and become the writer then. A process that is forked off while a [`Writer`] is held cannot save
//!   by its copy of it, nor end it for its parent; but it keeps the lock alive: if the parent is killed, the
//!   session stays busy until the child has dropped its copy, ended or run another program.
//! - A plain session keeps one checkpoint and cannot tell damage inside it.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "archive")]
mod archive;
mod backend;
mod borrow;
mod checkpoint;
#[cfg(feature = "conformance")]
pub mod conformance;
mod copy;
mod directory;
mod error;
mod files;
mod format;
mod id;
#[cfg(feature = "inspect")]
pub mod inspect;
mod json;
mod listing;
mod memory;
#[cfg(feature = "object-store")]
mod object;
mod owner;
mod program;
mod prune;
mod random;
mod repository;
mod revision;
#[cfg(feature = "seam")]
#[doc(hidden)]
pub mod seam;
mod session;
mod share;
mod stream;
mod sys;
mod verify;

#[cfg(feature = "archive")]
pub use archive::Exported;
pub use backend::{
    Backend, BackendWriter, Finding, Format, GivenUp, History, Kept, Leftover, Listing,
    Maintenance, NewSession, Problem, Removal, RepositoryVerification, Severity, Status, Summary,
    Sweep, Trashed, Unlocked, Usage, Verification, Verified, WriterState,
};
pub use checkpoint::{Checkpoint, CheckpointInfo, Digest, Labels, Retention, SaveOptions};
pub use copy::{Copied, CopyOptions, Progress, RepositoryCopied};
pub use directory::DirectoryBackend;
pub use error::{Damage, Error, FileKind, LocationProblem, Operation, Result, Step, Subject};
pub use files::{Files, PassedOver};
pub use id::{InvalidId, NameProblem, SessionId};
pub use listing::ListOptions;
pub use memory::MemoryBackend;
#[cfg(feature = "object-store")]
pub use object::{ObjectBackend, StoreProblem, interruptible};
pub use owner::Owner;
pub use program::{ProgramEnd, ProgramState};
pub use prune::{Gone, PruneOptions, Pruned, PrunedRevisions, Spared};
pub use repository::{CreateOptions, Repository};
pub use revision::{At, Revision};
pub use session::{Session, Writer};
pub use share::SharedWriter;
pub use stream::{Buffer, CheckpointReader};
pub use verify::Repair;
