//! Open files and directories of a simulated disk.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice};
use std::path::Path;
use std::time::SystemTime;

use rustix::io::Errno;

use super::image::{Change, Content, Key};
use super::{Quirk, SimulatedDisk, State, error};
use pitstop::seam::{
    Access, Ask, Dated, Disk, Identity, Kind, Metadata, RawDirectory, RawFile, not_a_file,
};

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn RawDirectory>> {
        let mut state = self.state();
        let key = state.find(path)?;
        self.open_directory(&mut state, key)
    }

    fn now(&self) -> SystemTime {
        self.state().clock
    }

    fn boot_time(&self) -> io::Result<SystemTime> {
        Ok(self.state().boot)
    }

    fn is_open_anywhere(&self, file: &Metadata) -> Option<bool> {
        let state = self.state();
        let is_open = state.open.keys().any(|key| state.nodes[*key].inode == file.inode);
        state.traits.open_files_are_known.then_some(is_open)
    }
}

impl SimulatedDisk {
    fn open_directory(&self, state: &mut State, key: Key) -> io::Result<Box<dyn RawDirectory>> {
        match state.nodes[key].live {
            Content::Directory(_) => Ok(Box::new(Directory(self.handle(state, key)))),
            _ => Err(error(Errno::NOTDIR)),
        }
    }

    fn handle(&self, state: &mut State, key: Key) -> Handle {
        state.handles += 1;
        state.touched.insert(key);
        *state.open.entry(key).or_default() += 1;
        Handle { disk: self.clone(), process: state.process, number: state.handles, key }
    }
}

#[derive(Debug)]
struct Handle {
    disk: SimulatedDisk,
    process: u64,
    number: u64,
    key: Key,
}

impl Handle {
    /// Makes a call, unless the process it belongs to was killed.
    fn call<T>(&self, call: impl FnOnce(&mut State, Key) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.state();
        if state.process != self.process {
            return Err(error(Errno::SRCH));
        }
        call(&mut state, self.key)
    }

    fn sync(&self) -> io::Result<()> {
        self.call(|state, key| {
            if state.take_quirk(Quirk::LoseSync) {
                state.nodes[key].lose();
                return Err(error(Errno::IO));
            }
            state.nodes[key].sync();
            state.remember();
            Ok(())
        })
    }

    fn metadata(&self, ask: Ask) -> io::Result<Dated> {
        self.call(|state, key| Ok(state.metadata(key, ask)))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.process != self.process {
            return;
        }
        state.locks.retain(|_, holder| *holder != self.number);
        if let Some(count) = state.open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                state.open.remove(&self.key);
            }
        }
    }
}

impl State {
    /// Times that nobody asked for are as a kernel may leave them: of the year 1970.
    fn metadata(&self, key: Key, ask: Ask) -> Dated {
        let metadata = self.undated(key);
        let node = &self.nodes[key];
        let time = |time| if ask == Ask::Times { time } else { SystemTime::UNIX_EPOCH };
        Dated {
            metadata,
            modified: time(node.modified),
            changed: time(node.changed),
            created: Some(time(node.created)),
        }
    }

    fn undated(&self, key: Key) -> Metadata {
        let node = &self.nodes[key];
        let (kind, size) = match &node.live {
            Content::File(bytes) => (Kind::File, bytes.size),
            Content::Directory(_) => (Kind::Directory, 4096),
            Content::Link(target) => (Kind::Link, target.len()),
        };
        Metadata {
            identity: Identity { inode: node.inode, device: 1, links: node.links },
            kind,
            size: size as u64,
            allocated: (size as u64).next_multiple_of(512),
            mount: node.mount,
            owner: 1000,
            is_executable: false,
        }
    }

    /// What has a name, not what a link leads to unless that is to go wrong.
    fn look_up(&mut self, directory: Key, name: &OsStr) -> io::Result<Key> {
        self.lay_link(directory, name);
        let follow = self.take_quirk(Quirk::FollowLink);
        let key = self.entry(directory, name)?;
        let found = match &self.nodes[key].live {
            Content::Link(target) if follow => self.follow(directory, Path::new(target), 0)?,
            _ => key,
        };
        self.touched.insert(found);
        Ok(found)
    }

    fn lay_link(&mut self, directory: Key, name: &OsStr) {
        let laid = self.quirks.iter().position(|quirk| matches!(quirk, Quirk::LayLink(_)));
        let Some(Quirk::LayLink(target)) = laid.map(|at| self.quirks.remove(at)) else { return };
        let was = self.entry(directory, name).ok();
        let is_directory =
            was.is_some_and(|was| matches!(self.nodes[was].live, Content::Directory(_)));
        if let Some(was) = was {
            self.nodes[was].links -= 1;
            self.rename_in(directory, vec![(name.to_owned(), None)]);
        }
        let target = if is_directory { target.into() } else { format!("{target}/file").into() };
        // Nothing can be laid in a directory that was removed.
        let _ = self.add(directory, name, Content::Link(target));
    }

    fn entries(&mut self, directory: Key) -> io::Result<Vec<(OsString, Kind)>> {
        let follow = self.take_quirk(Quirk::FollowLink);
        let Content::Directory(entries) = &self.nodes[directory].live else {
            return Err(error(Errno::NOTDIR));
        };
        let mut listed = Vec::new();
        for (name, key) in entries.iter() {
            let key = match &self.nodes[*key].live {
                Content::Link(target) if follow => {
                    let key = self.follow(directory, Path::new(target), 0).unwrap_or(*key);
                    self.touched.insert(key);
                    key
                }
                _ => *key,
            };
            listed.push((name.clone(), self.undated(key).kind));
        }
        Ok(listed)
    }
}

#[derive(Debug)]
struct Directory(Handle);

impl RawDirectory for Directory {
    fn open_directory(&self, name: &OsStr) -> io::Result<Box<dyn RawDirectory>> {
        self.0.call(|state, directory| {
            let key = state.look_up(directory, name)?;
            self.0.disk.open_directory(state, key)
        })
    }

    fn open_file(&self, name: &OsStr, access: Access) -> io::Result<Box<dyn RawFile>> {
        self.0.call(|state, directory| {
            let key = match state.look_up(directory, name) {
                Ok(_) if matches!(access, Access::CreateNew | Access::CreateNewExecutable) => {
                    return Err(error(Errno::EXIST));
                }
                Ok(key) => key,
                Err(failure)
                    if failure.kind() == io::ErrorKind::NotFound
                        && !matches!(access, Access::Read | Access::Write) =>
                {
                    state.add(directory, name, Content::file())?
                }
                Err(failure) => return Err(failure),
            };
            match state.undated(key).kind {
                Kind::File => {
                    let handle = self.0.disk.handle(state, key);
                    Ok(Box::new(File { handle, writable: access != Access::Read }) as _)
                }
                other => Err(not_a_file(other)),
            }
        })
    }

    fn make_directory(&self, name: &OsStr) -> io::Result<()> {
        self.0.call(|state, key| state.add(key, name, Content::directory()).map(drop))
    }

    fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        self.0.call(|state, key| state.remove(key, name, true))
    }

    fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        self.0.call(|state, key| state.remove(key, name, false))
    }

    fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.0.call(|state, directory| {
            let key = state.entry(directory, from)?;
            match state.entry(directory, to) {
                // As POSIX has it: nothing happens to two names of the same file.
                Ok(there) if there == key => return Ok(()),
                Ok(there) => {
                    match (&state.nodes[key].live, &state.nodes[there].live) {
                        (Content::Directory(_), Content::Directory(entries))
                            if entries.is_empty() => {}
                        (Content::Directory(_), Content::Directory(_)) => {
                            return Err(error(Errno::NOTEMPTY));
                        }
                        (Content::Directory(_), _) => return Err(error(Errno::NOTDIR)),
                        (_, Content::Directory(_)) => return Err(error(Errno::ISDIR)),
                        _ => (),
                    }
                    state.nodes[there].links -= 1;
                    state.nodes[there].changed = state.clock;
                }
                Err(_) => state.check_linked(directory)?,
            }
            let names = vec![(from.to_owned(), None), (to.to_owned(), Some(key))];
            state.rename_in(directory, names);
            Ok(())
        })
    }

    fn rename_new(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.0.call(|state, directory| match state.entry(directory, to) {
            Ok(_) => Err(error(Errno::EXIST)),
            Err(_) => Ok(()),
        })?;
        self.rename(from, to)
    }

    fn link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.0.call(|state, directory| {
            let key = state.entry(directory, from)?;
            state.lay_link(directory, to);
            if state.entry(directory, to).is_ok() {
                return Err(error(Errno::EXIST));
            }
            if !state.traits.hard_links || matches!(state.nodes[key].live, Content::Directory(_)) {
                return Err(error(Errno::PERM));
            }
            state.check_linked(directory)?;
            state.nodes[key].links += 1;
            state.rename_in(directory, vec![(to.to_owned(), Some(key))]);
            Ok(())
        })
    }

    fn make_symlink(&self, target: &OsStr, name: &OsStr) -> io::Result<()> {
        let content = Content::Link(target.to_owned());
        self.0.call(|state, key| state.add(key, name, content).map(drop))
    }

    fn read_link(&self, name: &OsStr) -> io::Result<OsString> {
        self.0.call(|state, directory| {
            let key = state.entry(directory, name)?;
            match &state.nodes[key].live {
                Content::Link(target) => Ok(target.clone()),
                _ => Err(error(Errno::INVAL)),
            }
        })
    }

    fn metadata(&self, name: &OsStr, ask: Ask) -> io::Result<Dated> {
        self.0.call(|state, directory| {
            let key = state.look_up(directory, name)?;
            Ok(state.metadata(key, ask))
        })
    }

    fn metadata_below(&self, directory: &OsStr, name: &OsStr, ask: Ask) -> io::Result<Dated> {
        self.open_directory(directory)?.metadata(name, ask)
    }

    fn own_metadata(&self, ask: Ask) -> io::Result<Dated> {
        self.0.metadata(ask)
    }

    fn entries(&self) -> io::Result<Vec<(OsString, Kind)>> {
        self.0.call(|state, key| state.entries(key))
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn is_local(&self) -> io::Result<bool> {
        self.0.call(|state, _| Ok(state.traits.is_local))
    }
}

#[derive(Debug)]
struct File {
    handle: Handle,
    writable: bool,
}

impl File {
    fn read(&self, offset: u64, most: usize, give: impl FnOnce(&[u8])) -> io::Result<usize> {
        self.handle.call(|state, key| {
            let Content::File(bytes) = &state.nodes[key].live else {
                return Err(error(Errno::ISDIR));
            };
            let rest = bytes.data.get(offset as usize..).unwrap_or_default();
            let part = &rest[..rest.len().min(most)];
            give(part);
            Ok(part.len())
        })
    }

    fn change(&self, call: impl FnOnce(&mut State, Key)) -> io::Result<()> {
        if !self.writable {
            return Err(error(Errno::BADF));
        }
        self.handle.call(|state, key| {
            call(state, key);
            Ok(())
        })
    }
}

impl RawFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read(offset, buffer.len(), |part| buffer[..part.len()].copy_from_slice(part))
    }

    fn append_at(&self, data: &mut Vec<u8>, offset: u64) -> io::Result<usize> {
        self.read(offset, data.capacity() - data.len(), |part| data.extend_from_slice(part))
    }

    fn write_at(&self, buffers: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let bytes = buffers.iter().map(|buffer| &**buffer).collect::<Vec<&[u8]>>().concat();
        self.change(|state, key| state.write(key, &bytes, offset as usize))?;
        Ok(bytes.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(|state, key| {
            let now = state.clock;
            state.nodes[key].change(Change::Size(len as usize), now);
            state.remember();
        })
    }

    fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.change(|state, key| state.nodes[key].modified = time)
    }

    fn metadata(&self, ask: Ask) -> io::Result<Dated> {
        self.handle.metadata(ask)
    }

    fn sync(&self) -> io::Result<()> {
        self.handle.sync()
    }

    fn sync_data(&self) -> io::Result<()> {
        self.handle.sync()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.handle.call(|state, key| {
            let holder = *state.locks.entry(key).or_insert(self.handle.number);
            Ok(holder == self.handle.number)
        })
    }

    fn unlock(&self) -> io::Result<()> {
        self.handle.call(|state, key| {
            if state.locks.get(&key) == Some(&self.handle.number) {
                state.locks.remove(&key);
            }
            Ok(())
        })
    }

    fn is_locked(&self) -> io::Result<bool> {
        self.handle.call(|state, key| {
            Ok(state.locks.get(&key).is_some_and(|holder| *holder != self.handle.number))
        })
    }
}
