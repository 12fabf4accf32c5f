//! Files that are only a cache. No promise rests on them, so that nothing is flushed, and whoever meets an error
//! goes on as if nothing were there.

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// `$XDG_CACHE_HOME/pitstop`, or `~/.cache/pitstop`; none where neither is known.
pub(crate) fn directory() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|it| it.is_absolute());
    let cache = cache.or_else(|| Some(env::home_dir()?.join(".cache")));
    cache.filter(|it| it.is_absolute()).map(|it| it.join("pitstop"))
}

/// What a file holds, if it is this user's alone and not longer than that.
pub(crate) fn read(directory: &Path, name: &str, most: u64) -> io::Result<Vec<u8>> {
    // Nothing that lies there makes this wait.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let open = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).to_owned();
    let file = open.open(directory.join(name))?;
    let there = file.metadata()?;
    let is_ours = there.uid() == rustix::process::geteuid().as_raw() && there.mode() & 0o077 == 0;
    if !is_ours || !there.is_file() || there.len() > most {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts a file in place, for this user alone. Of two who do so at once, either may leave half a file: whoever
/// reads it has to be able to tell.
pub(crate) fn write(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let new = directory.join(format!("{name}.new"));
    // What was killed here may have left it.
    let _ = fs::remove_file(&new);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    file.write_all(bytes)?;
    fs::rename(&new, directory.join(name))
}
