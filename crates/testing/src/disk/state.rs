//! Names and what they lead to.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Component, Path};

use rustix::io::Errno;

use super::image::{Change, Content, Key, Node};
use super::{Moment, Quirk, ROOT, State, error, split};

impl State {
    pub(super) fn moment(&self) -> Moment {
        let (nodes, locks) = (self.nodes.clone(), self.locks.clone());
        let Self { clock, boot, traits, mark, .. } = *self;
        Moment { nodes, clock, boot, locks, traits, mark }
    }

    pub(super) fn remember(&mut self) {
        if self.history.is_some() {
            let moment = self.moment();
            self.history.get_or_insert_default().push(moment);
        }
    }

    pub(super) fn take_quirk(&mut self, quirk: Quirk) -> bool {
        let at = self.quirks.iter().position(|set| *set == quirk);
        at.map(|at| self.quirks.remove(at)).is_some()
    }

    pub(super) fn entry(&self, directory: Key, name: &OsStr) -> io::Result<Key> {
        match &self.nodes[directory].live {
            _ if name == "." => Ok(directory),
            _ if name == ".." => Ok(self.nodes[directory].parent),
            Content::Directory(entries) => {
                entries.get(name).copied().ok_or_else(|| error(Errno::NOENT))
            }
            _ => Err(error(Errno::NOTDIR)),
        }
    }

    /// What a path from the root leads to, through links.
    pub(super) fn find(&self, path: &Path) -> io::Result<Key> {
        self.follow(ROOT, path, 0)
    }

    pub(super) fn follow(&self, from: Key, path: &Path, depth: usize) -> io::Result<Key> {
        if depth > 40 {
            return Err(error(Errno::LOOP));
        }
        let mut at = from;
        for component in path.components() {
            let name = match component {
                Component::RootDir => {
                    at = ROOT;
                    continue;
                }
                other => other.as_os_str(),
            };
            let key = self.entry(at, name)?;
            at = match &self.nodes[key].live {
                Content::Link(target) => self.follow(at, Path::new(target), depth + 1)?,
                _ => key,
            };
        }
        Ok(at)
    }

    pub(super) fn make_path(&mut self, path: &Path) -> io::Result<Key> {
        match self.find(path) {
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => {
                let (parent, name) = split(path);
                let parent = self.make_path(parent)?;
                self.add(parent, name, Content::directory())
            }
            found => found,
        }
    }

    pub(super) fn rename_in(&mut self, directory: Key, names: Vec<(OsString, Option<Key>)>) {
        let now = self.clock;
        for (_, key) in &names {
            if let Some(key) = key {
                self.nodes[*key].changed = now;
            }
        }
        self.nodes[directory].change(Change::Names(names.into()), now);
        self.remember();
    }

    /// Makes something new under a name that is free.
    pub(super) fn add(
        &mut self,
        directory: Key,
        name: &OsStr,
        content: Content,
    ) -> io::Result<Key> {
        if self.entry(directory, name).is_ok() {
            return Err(error(Errno::EXIST));
        }
        self.check_linked(directory)?;
        let mut node = Node::new(content, directory, self.free_inode(), self.clock);
        node.mount = self.nodes[directory].mount;
        node.links = 1;
        let key = self.nodes.add(node);
        self.rename_in(directory, vec![(name.to_owned(), Some(key))]);
        Ok(key)
    }

    /// Nothing can be made in a directory that was removed.
    pub(super) fn check_linked(&self, directory: Key) -> io::Result<()> {
        if self.nodes[directory].links == 0 { Err(error(Errno::NOENT)) } else { Ok(()) }
    }

    /// The smallest number that nothing has now.
    pub(super) fn free_inode(&self) -> u64 {
        if !self.reuses_inodes {
            return self.nodes.iter().map(|node| node.inode + 1).max().unwrap_or(2);
        }
        let nodes = self.nodes.iter().enumerate();
        let mut is_free = vec![true; nodes.len() + 3];
        for (_, node) in nodes.filter(|(key, it)| it.links > 0 || self.open.contains_key(key)) {
            if let Some(is_free) = is_free.get_mut(node.inode as usize) {
                *is_free = false;
            }
        }
        (2..).find(|inode| is_free[*inode as usize]).unwrap_or_default()
    }

    pub(super) fn write(&mut self, file: Key, data: &[u8], offset: usize) {
        let now = self.clock;
        self.nodes[file].write(data, offset, now);
        self.remember();
    }

    pub(super) fn remove(
        &mut self,
        directory: Key,
        name: &OsStr,
        wants_directory: bool,
    ) -> io::Result<()> {
        let key = self.entry(directory, name)?;
        match (&self.nodes[key].live, wants_directory) {
            (Content::Directory(entries), true) if !entries.is_empty() => {
                return Err(error(Errno::NOTEMPTY));
            }
            (Content::Directory(_), true) => (),
            (Content::Directory(_), false) => return Err(error(Errno::ISDIR)),
            (_, true) => return Err(error(Errno::NOTDIR)),
            (_, false) => (),
        }
        self.nodes[key].links -= 1;
        self.nodes[key].changed = self.clock;
        self.rename_in(directory, vec![(name.to_owned(), None)]);
        Ok(())
    }
}
