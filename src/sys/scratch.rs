//! Files without a name, for what does not fit into memory.

use std::fs::File;
use std::path::PathBuf;
use std::{env, io};

use rustix::fs::{FallocateFlags, Mode, OFlags, fallocate, open};

/// Makes a file without a name, this user's alone, with room for so many bytes: in `$TMPDIR`, or `/var/tmp`, which is on a
/// disk where `/tmp` may be in memory.
pub(crate) fn scratch_file(len: u64) -> io::Result<File> {
    let directory = env::var_os("TMPDIR").filter(|it| !it.is_empty()).map(PathBuf::from);
    let directory = directory.unwrap_or_else(|| PathBuf::from("/var/tmp"));
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = open(directory, flags, Mode::RUSR | Mode::WUSR)?;
    fallocate(&file, FallocateFlags::empty(), 0, len)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek, Write};

    use super::*;

    #[test]
    fn a_scratch_file_has_its_room_and_no_name() {
        let mut file = scratch_file(1 << 20).unwrap();
        file.write_all(b"spooled").unwrap();
        file.rewind().unwrap();
        let mut read = [0; 7];
        file.read_exact(&mut read).unwrap();
        let metadata = file.metadata().unwrap();
        assert_eq!((&read, metadata.len()), (b"spooled", 1 << 20));
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&metadata), 0);
        assert!(scratch_file(u64::MAX / 2).is_err());
    }
}
