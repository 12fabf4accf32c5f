"""Reads checkpoints as files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, final

from ._pitstop import RevisionReader

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from ._pitstop import Session
    from ._results import CheckpointInfo

_PIECE = 1 << 20


@final
class CheckpointReader(io.RawIOBase):
    """Reads a verified checkpoint in pieces, as a file: for `pickle.load`, `numpy.load`, `io.BufferedReader`.

    The checkpoint stays the same while newer ones are saved, as long as its revision is kept. The last bytes are
    returned only after the digest of everything read was verified; otherwise `read` raises `Corrupt`.

    Seeking backward, or forward and back, opens the revision again and reads up to the new position: put an
    `io.BufferedReader` around a reader that seeks often.
    """

    def __init__(self, session: Session, reader: RevisionReader) -> None:
        self._session, self._reader = session, reader
        self._position = 0

    @property
    def info(self) -> CheckpointInfo:
        """Describes the checkpoint."""
        return self._reader.info

    def readable(self) -> bool:
        """Returns True."""
        return True

    def seekable(self) -> bool:
        """Returns True."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """Reads `size` bytes, or fewer at the end; everything left without a size."""
        self._check_open()
        data = self._reader.read(-1 if size is None else size)
        self._position += len(data)
        return data

    def readall(self) -> bytes:
        """Reads everything that is left."""
        return self.read()

    def readinto(self, buffer: Buffer, /) -> int:
        """Reads into a writable buffer and returns the number of bytes; 0 at the end."""
        with memoryview(buffer).cast("B") as room:
            data = self.read(len(room))
            room[: len(data)] = data
        return len(data)

    def tell(self) -> int:
        """Returns the position in bytes."""
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Moves to another position in the same checkpoint, and returns it."""
        self._check_open()
        bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.info.size}
        if whence not in bases:
            raise ValueError(f"argument 'whence': expected 0, 1 or 2, not {whence!r}")
        target = bases[whence] + offset
        if target < 0:
            raise ValueError(f"argument 'offset': position {target} is before the start")
        if target < self._position:
            self._reader = self._session._open_revision(self.info.revision)
            self._position = 0
        while self._position < target and self.read(min(target - self._position, _PIECE)):
            pass
        self._position = target
        return target

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("this reader is closed")

    def close(self) -> None:
        """Closes the files. Reading is an error afterwards."""
        if not self.closed:
            self._reader.close()
        super().close()


CheckpointReader.__module__ = "pitstop"
