//! Every file call that Pitstop makes, relative to an open directory, with its errors named.
//!
//! [`Disk`], [`RawDirectory`] and [`RawFile`] are the seam: the kernel is behind it, or a simulated
//! disk, or one that fails on purpose. [`Directory`] and [`File`] are what the rest of the library
//! sees: they add which step failed, where.

#[cfg(feature = "object-store")]
pub(crate) mod cache;
mod directory;
mod failure;
mod file;
mod host;
#[cfg(feature = "object-store")]
mod machine;
mod os;
mod process;
mod seam;
#[cfg(feature = "seam")]
pub mod site;

pub(crate) use directory::Directory;
pub(crate) use failure::{Failure, Outcome, found};
pub(crate) use file::File;
pub(crate) use host::current_owner;
#[cfg(feature = "object-store")]
pub(crate) use machine::{Machine, is_running};
pub(crate) use os::Os;
pub(crate) use process::Process;
#[allow(unreachable_pub)] // Public only with the feature `seam`.
pub use seam::{
    Access, Ask, Dated, Disk, Identity, Kind, Metadata, RawDirectory, RawFile, not_a_file,
};

#[cfg(feature = "seam")]
use site::on_behalf;

#[cfg(not(feature = "seam"))]
fn on_behalf<T>(call: impl FnOnce() -> T) -> T {
    call()
}
