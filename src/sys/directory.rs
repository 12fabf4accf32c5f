//! Directories, with their errors named.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::failure::{Failure, Outcome, found};
use super::file::File;
use super::on_behalf;
use super::seam::{Access, Ask, Dated, Disk, Identity, Kind, Metadata, RawDirectory};
use crate::error::Step;

/// An open directory and where it was found.
#[derive(Debug, Clone)]
pub(crate) struct Directory {
    raw: Arc<dyn RawDirectory>,
    path: PathBuf,
}

impl Directory {
    #[track_caller]
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> Outcome<Self> {
        match on_behalf(|| disk.open(path)) {
            Ok(raw) => Ok(Self { raw: raw.into(), path: path.to_owned() }),
            Err(source) => Err(Failure { step: Step::Open, path: path.to_owned(), source }),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    #[track_caller]
    pub(crate) fn open_directory(&self, name: impl AsRef<OsStr>) -> Outcome<Self> {
        let name = name.as_ref();
        let raw = self.at(Step::Open, name, || self.raw.open_directory(name))?;
        Ok(Self { raw: raw.into(), path: self.path.join(name) })
    }

    /// Opens a regular file; anything else of that name is refused without blocking on it.
    #[track_caller]
    pub(crate) fn open_file(&self, name: impl AsRef<OsStr>, access: Access) -> Outcome<File> {
        let name = name.as_ref();
        let raw = self.at(Step::Open, name, || self.raw.open_file(name, access))?;
        Ok(File { raw, path: self.path.join(name) })
    }

    #[track_caller]
    pub(crate) fn make_directory(&self, name: impl AsRef<OsStr>) -> Outcome<()> {
        let name = name.as_ref();
        self.at(Step::Create, name, || self.raw.make_directory(name))
    }

    #[track_caller]
    pub(crate) fn remove_directory(&self, name: impl AsRef<OsStr>) -> Outcome<()> {
        let name = name.as_ref();
        self.at(Step::Remove, name, || self.raw.remove_directory(name))
    }

    #[track_caller]
    pub(crate) fn remove_file(&self, name: impl AsRef<OsStr>) -> Outcome<()> {
        let name = name.as_ref();
        self.at(Step::Remove, name, || self.raw.remove_file(name))
    }

    #[track_caller]
    pub(crate) fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> Outcome<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        self.at(Step::Rename, to, || self.raw.rename(from, to))
    }

    /// Renames, and fails if there is something of the new name.
    #[track_caller]
    pub(crate) fn rename_new(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> Outcome<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        self.at(Step::Rename, to, || self.raw.rename_new(from, to))
    }

    #[track_caller]
    pub(crate) fn link(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> Outcome<()> {
        let (from, to) = (from.as_ref(), to.as_ref());
        self.at(Step::Link, to, || self.raw.link(from, to))
    }

    #[track_caller]
    pub(crate) fn make_symlink(
        &self,
        target: impl AsRef<OsStr>,
        name: impl AsRef<OsStr>,
    ) -> Outcome<()> {
        let (target, name) = (target.as_ref(), name.as_ref());
        self.at(Step::Create, name, || self.raw.make_symlink(target, name))
    }

    #[track_caller]
    pub(crate) fn read_link(&self, name: impl AsRef<OsStr>) -> Outcome<OsString> {
        let name = name.as_ref();
        self.at(Step::Read, name, || self.raw.read_link(name))
    }

    /// What is there, links not followed; `None` if nothing is.
    #[track_caller]
    pub(crate) fn metadata(&self, name: impl AsRef<OsStr>) -> Outcome<Option<Metadata>> {
        Ok(self.look_at(name.as_ref(), Ask::Metadata)?.map(|it| it.metadata))
    }

    /// The same, with its times: see [`Ask`].
    #[track_caller]
    pub(crate) fn dated(&self, name: impl AsRef<OsStr>) -> Outcome<Option<Dated>> {
        self.look_at(name.as_ref(), Ask::Times)
    }

    /// Which file is there, and no more: what is asked behind every save.
    #[track_caller]
    pub(crate) fn identity(&self, name: impl AsRef<OsStr>) -> Outcome<Option<Identity>> {
        Ok(self.look_at(name.as_ref(), Ask::Identity)?.map(|it| it.identity))
    }

    #[track_caller]
    fn look_at(&self, name: &OsStr, ask: Ask) -> Outcome<Option<Dated>> {
        found(self.at(Step::Inspect, name, || self.raw.metadata(name, ask)))
    }

    /// What is there in a directory of this one; `None` if nothing is.
    #[track_caller]
    pub(crate) fn metadata_below(
        &self,
        directory: &OsStr,
        name: impl AsRef<OsStr>,
        ask: Ask,
    ) -> Outcome<Option<Dated>> {
        let name = name.as_ref();
        found(self.at(Step::Inspect, directory, || self.raw.metadata_below(directory, name, ask)))
    }

    #[track_caller]
    pub(crate) fn own_metadata(&self) -> Outcome<Metadata> {
        Ok(self.here(Step::Inspect, || self.raw.own_metadata(Ask::Metadata))?.metadata)
    }

    #[track_caller]
    pub(crate) fn own_dated(&self) -> Outcome<Dated> {
        self.here(Step::Inspect, || self.raw.own_metadata(Ask::Times))
    }

    #[track_caller]
    pub(crate) fn own_identity(&self) -> Outcome<Identity> {
        Ok(self.here(Step::Inspect, || self.raw.own_metadata(Ask::Identity))?.identity)
    }

    #[track_caller]
    pub(crate) fn entries(&self) -> Outcome<Vec<(OsString, Kind)>> {
        self.here(Step::List, || self.raw.entries())
    }

    /// Makes the names in this directory durable.
    #[track_caller]
    pub(crate) fn sync(&self) -> Outcome<()> {
        self.here(Step::Flush, || self.raw.sync())
    }

    #[track_caller]
    pub(crate) fn is_local(&self) -> Outcome<bool> {
        self.here(Step::Inspect, || self.raw.is_local())
    }

    #[track_caller]
    fn at<T>(&self, step: Step, name: &OsStr, call: impl FnOnce() -> io::Result<T>) -> Outcome<T> {
        on_behalf(call).map_err(|source| Failure { step, path: self.path.join(name), source })
    }

    #[track_caller]
    fn here<T>(&self, step: Step, call: impl FnOnce() -> io::Result<T>) -> Outcome<T> {
        on_behalf(call).map_err(|source| Failure { step, path: self.path.clone(), source })
    }
}
