//! Where the option `-o` leads: a descriptor of this process, a file, or whatever else has that name.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, geteuid, getpid, pidfd_getfd, pidfd_open};

/// How long a pipe may have no reader before that is an error.
const PIPE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a command writes its payload.
#[derive(Clone, Copy)]
pub(crate) enum Destination<'a> {
    /// A descriptor that is open already. Standard output is 1.
    Descriptor(i32),
    Path(&'a Path),
}

impl<'a> Destination<'a> {
    /// The destination that an option names. Standard output is the default, and `-`.
    pub(crate) fn of(option: Option<&'a Path>) -> Self {
        match option {
            None => Self::Descriptor(1),
            Some(path) => descriptor(path).map_or(Self::Path(path), Self::Descriptor),
        }
    }

    pub(crate) fn is_standard_output(self) -> bool {
        matches!(self, Self::Descriptor(1))
    }

    /// Calls `write` with the open destination. A regular file of this user is replaced once the new one is
    /// whole and durable; everything else is opened as a shell's `>` would open it.
    pub(crate) fn write<T, E: From<io::Error>>(
        self,
        write: impl FnOnce(File) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = match self {
            Self::Descriptor(number) => return write(duplicate(number)?),
            Self::Path(path) => path,
        };
        let is_directory = path.as_os_str().as_bytes().ends_with(b"/");
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_directory => {
                replace(path, 0o600, write)
            }
            Ok(it) if it.is_file() && it.uid() == geteuid().as_raw() => {
                replace(path, it.mode() & 0o777, write)
            }
            _ => write(open(path)?),
        }
    }
}

impl fmt::Display for Destination<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Descriptor(1) => f.write_str("standard output"),
            Self::Descriptor(2) => f.write_str("standard error"),
            Self::Descriptor(number) => write!(f, "descriptor {number}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The number of the descriptor that a path names. Opened by its path, a log would be written from its start.
fn descriptor(path: &Path) -> Option<i32> {
    let path = path.to_str()?;
    let number = match path {
        "-" | "/dev/stdout" => "1",
        "/dev/stderr" => "2",
        _ => path.strip_prefix("/dev/fd/").or_else(|| path.strip_prefix("/proc/self/fd/"))?,
    };
    number.bytes().all(|it| it.is_ascii_digit()).then(|| number.parse().ok())?
}

fn duplicate(number: i32) -> io::Result<File> {
    let duplicate: OwnedFd = match number {
        1 => io::stdout().as_fd().try_clone_to_owned()?,
        2 => io::stderr().as_fd().try_clone_to_owned()?,
        // By way of the process itself, this takes no unsafe code.
        _ => pidfd_getfd(
            pidfd_open(getpid(), PidfdFlags::empty())?,
            number,
            PidfdGetfdFlags::empty(),
        )?,
    };
    Ok(duplicate.into())
}

/// Opens what is there by the kernel's own rules: it decides whether a link may be followed.
fn open(path: &Path) -> io::Result<File> {
    let (opened, outcome) = mpsc::sync_channel(1);
    let path = path.to_owned();
    // A pipe without a reader blocks the thread that opens it. It ends with the process.
    thread::Builder::new().spawn(move || {
        let file = OpenOptions::new().write(true).create(true).truncate(true).open(path);
        let _ = opened.send(file);
    })?;
    outcome.recv_timeout(PIPE_TIMEOUT).unwrap_or_else(|_| {
        Err(io::Error::new(io::ErrorKind::TimedOut, "nothing reads from this pipe"))
    })
}

/// Writes a new file and renames it over the old one. A link of that name is replaced, never followed.
fn replace<T, E: From<io::Error>>(
    path: &Path,
    mode: u32,
    write: impl FnOnce(File) -> Result<T, E>,
) -> Result<T, E> {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    let directory = OpenOptions::new()
        .read(true)
        .custom_flags(OFlags::DIRECTORY.bits().cast_signed())
        .open(parent.unwrap_or(Path::new(".")))?;
    let name = path.file_name().ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
    let (new, file) = NewFile::create(&directory, name.as_bytes())?;
    let written = write(file.try_clone()?)?;
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(mode))?;
    file.sync_all()?;
    renameat(&directory, &new.name, &directory, name).map_err(io::Error::from)?;
    directory.sync_all()?;
    Ok(written)
}

/// A file under a temporary name, which is deleted unless the file was renamed.
struct NewFile<'a> {
    directory: &'a File,
    name: OsString,
}

impl<'a> NewFile<'a> {
    /// The name says which file a killed process was about to replace.
    fn create(directory: &'a File, replaced: &[u8]) -> io::Result<(Self, File)> {
        const LONGEST: usize = 200;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let start = &replaced[..replaced.len().min(LONGEST)];
        let mut number = 0;
        loop {
            let end = format!(".pitstop-{}-{number}", getpid());
            let name = OsString::from_vec([b".", start, end.as_bytes()].concat());
            match openat(directory, &name, flags, Mode::from_raw_mode(0o600)) {
                Ok(file) => return Ok((Self { directory, name }, file.into())),
                Err(rustix::io::Errno::EXIST) if number < 1000 => number += 1,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        // After the rename nothing has this name.
        let _ = unlinkat(self.directory, &self.name, AtFlags::empty());
    }
}
