//! Whether it is sure who writes a session.

use std::fs;
use std::os::unix::fs::MetadataExt;

use pitstop::{Owner, SessionId};

use crate::context::Context;

/// The process to end, if this one sees that it has the session's lock open. A record by itself proves nothing: whoever
/// may write in the session can name anybody's process in it, and in another container other processes have those
/// numbers.
pub(super) fn process(id: &SessionId, owner: &Owner, context: &Context) -> Option<u32> {
    let session = context.open().ok()?.session(id.clone());
    let lock = identity(&session.location()?.join("session.writer"))?;
    let descriptors = fs::read_dir(format!("/proc/{}/fd", owner.pid)).ok()?;
    let has_lock = descriptors.flatten().any(|it| identity(&it.path()) == Some(lock));
    (owner.pid > 1 && has_lock).then_some(owner.pid)
}

fn identity(path: &std::path::Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|it| (it.dev(), it.ino()))
}
