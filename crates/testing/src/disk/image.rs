//! What is on a simulated disk: as the kernel shows it, and as a power cut may leave it.

use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::hash::Hasher;
use std::ops::{Index, IndexMut};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use twox_hash::XxHash3_64;

/// A disk writes so many bytes or none of them.
const SECTOR: usize = 512;
/// Some write only so many.
const PAGE: usize = 4096;

/// The place of a [`Node`] in its image. Unlike an inode's number it is never used again.
pub(super) type Key = usize;

/// All that is on a disk. A copy costs next to nothing, and each takes its own of a node that it changes.
#[derive(Clone, Debug)]
pub(super) struct Nodes(Vec<Arc<Node>>);

impl Nodes {
    pub(super) fn of(root: Node) -> Self {
        Self(vec![Arc::new(root)])
    }

    /// Adds one, and says where it is.
    pub(super) fn add(&mut self, node: Node) -> Key {
        self.0.push(Arc::new(node));
        self.0.len() - 1
    }

    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = &Node> {
        self.0.iter().map(|node| &**node)
    }

    pub(super) fn sync_all(&mut self) {
        for key in 0..self.0.len() {
            self[key].sync();
        }
    }
}

impl Index<Key> for Nodes {
    type Output = Node;

    fn index(&self, key: Key) -> &Node {
        &self.0[key]
    }
}

impl IndexMut<Key> for Nodes {
    fn index_mut(&mut self, key: Key) -> &mut Node {
        Arc::make_mut(&mut self.0[key])
    }
}

/// A file, directory or link.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// As the kernel shows it.
    pub live: Content,
    /// What is on stable storage for certain, before the changes in `pending`.
    durable: Content,
    pending: Vec<(Change, Fate)>,
    pub parent: Key,
    pub inode: u64,
    pub mount: u64,
    pub links: u64,
    pub created: SystemTime,
    pub modified: SystemTime,
    pub changed: SystemTime,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    File(Arc<Bytes>),
    Directory(Arc<BTreeMap<OsString, Key>>),
    Link(OsString),
}

/// The bytes may go beyond the size, where data became durable and the size did not.
#[derive(Debug, Default)]
pub(super) struct Bytes {
    pub data: Vec<u8>,
    pub size: usize,
    /// A number for all of it, once somebody asked.
    digest: OnceLock<u64>,
}

impl Clone for Bytes {
    fn clone(&self) -> Self {
        Self { data: self.data.clone(), size: self.size, digest: OnceLock::new() }
    }
}

impl Bytes {
    pub(super) fn digest(&self) -> u64 {
        *self.digest.get_or_init(|| XxHash3_64::oneshot_with_seed(self.size as u64, &self.data))
    }

    /// For somebody who is going to change it.
    fn make_mut(shared: &mut Arc<Self>) -> &mut Self {
        let own = Arc::make_mut(shared);
        own.digest = OnceLock::new();
        own
    }
}

/// What survives a power cut whole or not at all.
#[derive(Clone, Debug)]
pub(super) enum Change {
    /// One operation on the names of a directory: two of them where it is a rename.
    Names(Arc<[(OsString, Option<Key>)]>),
    /// Part of one sector.
    Data(usize, Arc<[u8]>),
    Size(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Anybody's guess until the next sync.
    Open,
    Durable,
    /// Anybody's guess for ever: the sync that should have made it durable failed.
    Lost,
}

impl Content {
    pub(super) fn file() -> Self {
        Self::File(Arc::default())
    }

    pub(super) fn directory() -> Self {
        Self::Directory(Arc::default())
    }

    fn apply(&mut self, change: &Change) {
        match (self, change) {
            (Self::Directory(entries), Change::Names(names)) => {
                let entries = Arc::make_mut(entries);
                for (name, key) in names.iter() {
                    match key {
                        Some(key) => entries.insert(name.clone(), *key),
                        None => entries.remove(name),
                    };
                }
            }
            (Self::File(bytes), Change::Data(offset, new)) => {
                let bytes = Bytes::make_mut(bytes);
                let end = offset + new.len();
                if bytes.data.len() < end {
                    bytes.data.resize(end, 0);
                }
                bytes.data[*offset..end].copy_from_slice(new);
            }
            (Self::File(bytes), Change::Size(size)) => {
                let bytes = Bytes::make_mut(bytes);
                bytes.data.resize(*size, 0);
                bytes.size = *size;
            }
            (content, change) => unreachable!("{change:?} of {content:?}"),
        }
    }

    /// Fills the page that was being written with what nobody wrote.
    fn spoil(&mut self, change: &Change) {
        let (Self::File(bytes), Change::Data(offset, _)) = (self, change) else { return };
        let bytes = Bytes::make_mut(bytes);
        let from = (offset / PAGE * PAGE).min(bytes.data.len());
        let to = (from + PAGE).min(bytes.data.len());
        for (at, byte) in bytes.data[from..to].iter_mut().enumerate() {
            *byte = (at as u8).wrapping_mul(167) ^ 0x5a;
        }
    }

    /// Where the size reaches beyond the data, a disk shows zeros or whatever was there before.
    fn settle(&mut self, filler: u8) {
        if let Self::File(bytes) = self
            && bytes.data.len() != bytes.size
        {
            let bytes = Bytes::make_mut(bytes);
            bytes.data.resize(bytes.size, filler);
        }
    }
}

impl Node {
    pub(super) fn new(content: Content, parent: Key, inode: u64, now: SystemTime) -> Self {
        Self {
            live: content.clone(),
            durable: content,
            pending: Vec::new(),
            parent,
            inode,
            mount: 1,
            links: 0,
            created: now,
            modified: now,
            changed: now,
        }
    }

    /// Changes it as the kernel shows it.
    pub(super) fn change(&mut self, change: Change, now: SystemTime) {
        self.live.apply(&change);
        self.pending.push((change, Fate::Open));
        (self.modified, self.changed) = (now, now);
    }

    /// The changes that a write makes.
    pub(super) fn write(&mut self, data: &[u8], offset: usize, now: SystemTime) {
        let mut at = offset;
        let end = offset + data.len();
        while at < end {
            let next = ((at / SECTOR + 1) * SECTOR).min(end);
            self.change(Change::Data(at, data[at - offset..next - offset].into()), now);
            at = next;
        }
        if matches!(&self.live, Content::File(bytes) if bytes.size < end) {
            self.change(Change::Size(end), now);
        }
    }

    pub(super) fn sync(&mut self) {
        for (_, fate) in &mut self.pending {
            if *fate == Fate::Open {
                *fate = Fate::Durable;
            }
        }
        let durable = self.pending.iter().take_while(|(_, fate)| *fate == Fate::Durable).count();
        if durable == self.pending.len() {
            self.pending.clear();
            self.durable = self.live.clone();
            return;
        }
        for (change, _) in self.pending.drain(..durable) {
            self.durable.apply(&change);
        }
    }

    /// A sync that fails: the next one has nothing left to do, and says that all is well.
    pub(super) fn lose(&mut self) {
        for (_, fate) in &mut self.pending {
            if *fate == Fate::Open {
                *fate = Fate::Lost;
            }
        }
    }

    pub(super) fn undecided(&self) -> usize {
        self.pending.iter().filter(|(_, fate)| *fate != Fate::Durable).count()
    }

    /// As a power cut leaves it, if `survives` says which of the undecided changes do.
    fn after_crash(&self, tear: Tear, filler: u8, survives: &mut impl FnMut() -> bool) -> Self {
        let mut content = self.durable.clone();
        // Where the change before ended, and what became of it.
        let (mut end, mut is_there) = (0, false);
        for (change, fate) in &self.pending {
            let is_of_one_page = matches!(change, Change::Data(offset, _)
                if tear != Tear::Sectors && *offset == end && end % PAGE != 0);
            if !is_of_one_page {
                is_there = *fate == Fate::Durable || survives();
                if !is_there && tear == Tear::Garbage && survives() {
                    content.spoil(change);
                }
            }
            if is_there {
                content.apply(change);
            }
            end = match change {
                Change::Data(offset, new) => offset + new.len(),
                _ => 0,
            };
        }
        content.settle(filler);
        Self { durable: content.clone(), live: content, pending: Vec::new(), ..*self }
    }
}

/// What a power cut does to a write that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Tear {
    /// Each sector is there or not.
    Sectors,
    /// Each page is.
    Pages,
    /// Each page is, or holds what nobody wrote; with all that was in it before.
    Garbage,
}

/// Which changes survive a power cut: a bit for each undecided one, the top bit for what lies where
/// nothing was written. Beyond 127 changes the bits are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Survivors(pub u128);

impl Survivors {
    fn filler(self) -> u8 {
        if self.0 >> 127 == 1 { 0xa5 } else { 0 }
    }
}

pub(super) fn after_crash(nodes: &Nodes, survivors: Survivors, tear: Tear) -> Nodes {
    let mut next = 0;
    let mut survives = || {
        let bit = next % 127;
        next += 1;
        survivors.0 >> bit & 1 == 1
    };
    let filler = survivors.filler();
    let settled = nodes.0.iter().map(|node| match node.pending.is_empty() {
        true => node.clone(),
        false => Arc::new(node.after_crash(tear, filler, &mut survives)),
    });
    let mut nodes = Nodes(settled.collect());
    let mut links = vec![0; nodes.0.len()];
    let mut order = Vec::new();
    walk(&nodes, 0, &mut |key| {
        links[key] += 1;
        if links[key] == 1 {
            order.push(key);
        }
    });
    for (key, links) in links.into_iter().enumerate() {
        if nodes[key].links != links {
            nodes[key].links = links;
        }
    }
    // A number that was used again in the meantime belongs to one file only.
    let mut in_use = HashSet::new();
    for key in order {
        while !in_use.insert(nodes[key].inode) {
            nodes[key].inode += 1000;
        }
    }
    nodes
}

/// Visits a node for each of its names, a directory before what is in it.
fn walk(nodes: &Nodes, from: Key, visit: &mut impl FnMut(Key)) {
    visit(from);
    if let Content::Directory(entries) = &nodes[from].live {
        for key in entries.values() {
            walk(nodes, *key, visit);
        }
    }
}

/// A number for all that can be seen from `from` down, but for the part below `without`.
pub(super) fn digest(nodes: &Nodes, from: Key, without: Option<Key>) -> u64 {
    let mut hash = XxHash3_64::new();
    hash_below(nodes, from, without, &mut hash);
    hash.finish()
}

fn hash_below(nodes: &Nodes, from: Key, without: Option<Key>, hash: &mut XxHash3_64) {
    match &nodes[from].live {
        Content::File(bytes) => {
            // Two names of one file are not two files of the same content.
            hash.write(b"file");
            hash.write(&from.to_le_bytes());
            hash.write(&bytes.digest().to_le_bytes());
        }
        Content::Link(target) => {
            hash.write(b"link");
            hash.write(target.as_encoded_bytes());
        }
        Content::Directory(entries) => {
            hash.write(b"directory");
            for (name, key) in entries.iter().filter(|(_, key)| Some(**key) != without) {
                hash.write(&name.len().to_le_bytes());
                hash.write(name.as_encoded_bytes());
                hash_below(nodes, *key, without, hash);
            }
            hash.write(b"end");
        }
    }
}
