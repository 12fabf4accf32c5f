//! What a test puts on a simulated disk by other hands than Pitstop's, and what it finds there.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::image::Content;
use super::{SimulatedDisk, split};

#[allow(clippy::expect_used, reason = "a test that prepares an impossible disk is wrong")]
impl SimulatedDisk {
    /// Makes a directory, and those above it.
    pub fn put_directory(&self, path: impl AsRef<Path>) {
        self.state().make_path(path.as_ref()).expect("a directory can be made");
    }

    /// Makes a file, or gives it other content.
    pub fn put_file(&self, path: impl AsRef<Path>, data: &[u8]) {
        let (parent, name) = split(path.as_ref());
        let mut state = self.state();
        let parent = state.make_path(parent).expect("a directory can be made");
        if state.entry(parent, name).is_ok() {
            state.remove(parent, name, false).expect("a file can be replaced");
        }
        let file = state.add(parent, name, Content::file()).expect("a file can be made");
        state.write(file, data, 0);
    }

    /// Makes a symbolic link.
    pub fn put_link(&self, path: impl AsRef<Path>, target: impl Into<OsString>) {
        let (parent, name) = split(path.as_ref());
        let mut state = self.state();
        let parent = state.make_path(parent).expect("a directory can be made");
        state.add(parent, name, Content::Link(target.into())).expect("a link can be made");
    }

    /// Deletes a file or a link, if there is one.
    pub fn delete(&self, path: impl AsRef<Path>) {
        let (parent, name) = split(path.as_ref());
        let mut state = self.state();
        if let Ok(parent) = state.find(parent) {
            let _ = state.remove(parent, name, false);
        }
    }

    /// Deletes an empty directory, if there is one.
    pub fn delete_directory(&self, path: impl AsRef<Path>) {
        let (parent, name) = split(path.as_ref());
        let mut state = self.state();
        if let Ok(parent) = state.find(parent) {
            let _ = state.remove(parent, name, true);
        }
    }

    /// When anything about a file or a directory last changed; `None` if there is none.
    pub fn changed(&self, path: impl AsRef<Path>) -> Option<SystemTime> {
        let state = self.state();
        state.find(path.as_ref()).ok().map(|key| state.nodes[key].changed)
    }

    /// What a symbolic link says; `None` if there is none.
    pub fn link_target(&self, path: impl AsRef<Path>) -> Option<OsString> {
        let (parent, name) = split(path.as_ref());
        let state = self.state();
        let key = state.find(parent).and_then(|parent| state.entry(parent, name)).ok()?;
        match &state.nodes[key].live {
            Content::Link(target) => Some(target.clone()),
            _ => None,
        }
    }

    /// Mounts another file system on a directory, as far as anybody can tell.
    pub fn put_mount(&self, path: impl AsRef<Path>) {
        let mut state = self.state();
        let key = state.make_path(path.as_ref()).expect("a directory can be made");
        state.nodes[key].mount += 1;
    }

    /// The content of a file; `None` if there is none. Links are followed.
    pub fn read(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let state = self.state();
        let key = state.find(path.as_ref()).ok()?;
        match &state.nodes[key].live {
            Content::File(bytes) => Some(bytes.data.clone()),
            _ => None,
        }
    }

    /// Gives what has a name in a directory another one there.
    pub(crate) fn rename(&self, path: impl AsRef<Path>, to: &str) {
        let (parent, name) = split(path.as_ref());
        let mut state = self.state();
        let parent = state.find(parent).expect("there is a directory");
        let key = state.entry(parent, name).expect("there is such a name");
        state.rename_in(parent, vec![(name.to_owned(), None), (to.into(), Some(key))]);
    }

    /// The files below a directory, each with a number for its content.
    pub(crate) fn files(&self, path: impl AsRef<Path>) -> Vec<(PathBuf, u64)> {
        let mut files = Vec::new();
        let mut directories = vec![path.as_ref().to_owned()];
        let state = self.state();
        while let Some(directory) = directories.pop() {
            let Ok(key) = state.find(&directory) else { continue };
            let Content::Directory(entries) = &state.nodes[key].live else { continue };
            for (name, key) in entries.iter() {
                match &state.nodes[*key].live {
                    Content::File(bytes) => files.push((directory.join(name), bytes.digest())),
                    Content::Directory(_) => directories.push(directory.join(name)),
                    Content::Link(_) => (),
                }
            }
        }
        files
    }

    /// The names in a directory; none if there is no directory.
    pub fn names(&self, path: impl AsRef<Path>) -> Vec<OsString> {
        let state = self.state();
        match state.find(path.as_ref()).map(|key| &state.nodes[key].live) {
            Ok(Content::Directory(entries)) => entries.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }
}
