//! The seam below the file calls, for `crates/testing`: a disk of its own, and the line a call is made for.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::{CheckpointInfo, SaveOptions};
use crate::directory::DirectoryBackend;
use crate::error::Result;
#[cfg(feature = "object-store")]
pub use crate::object::Clock;
use crate::session::Writer;
pub use crate::sys::site;
pub use crate::sys::{
    Access, Ask, Dated, Disk, Identity, Kind, Metadata, RawDirectory, RawFile, not_a_file,
};

/// Opens a repository whose file calls all go to `disk`.
///
/// # Errors
/// Those of [`DirectoryBackend::open`].
pub fn open_on(disk: Arc<dyn Disk>, location: &Path) -> Result<DirectoryBackend> {
    DirectoryBackend::on_disk(location, disk)
}

/// Saves in pieces, however little the source gives.
///
/// # Errors
/// Those of [`Writer::save_from`].
pub fn save_in_pieces(
    writer: &mut Writer,
    source: &mut dyn Read,
    options: &SaveOptions,
) -> Result<CheckpointInfo> {
    writer.save_in_pieces(source, options)
}

/// Makes options that give a save this number, as a copy does.
pub fn numbered(number: u64) -> SaveOptions {
    SaveOptions { number: Some(number), ..SaveOptions::new() }
}
