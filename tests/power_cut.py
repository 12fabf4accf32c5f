"""Cuts the power of a real file system, by a disk that remembers what was not flushed.

real-kernels.sh runs this as root. The disk is a file of a tiny FUSE server (below, on /dev/fuse itself), and
the file system lies on a loop device over it. The server logs every write and every flush. A crash at a
point of the log leaves what was flushed before it and any subset of the writes since, cut at sectors. Such
images are mounted again, by the same kernel, and judged: what the program was told is saved must be there.

    power_cut.py <file system> <test binary> <saves> <crash points> <seed>
"""

import ctypes
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading

SIZE = {"ext4": 64 << 20, "xfs": 320 << 20, "btrfs": 128 << 20}
MKFS = {
    "ext4": ["mkfs.ext4", "-q", "-E", "nodiscard"],
    "xfs": ["mkfs.xfs", "-q", "-K"],
    "btrfs": ["mkfs.btrfs", "-q", "-K"],
}
# Images of one file system have its UUID all alike.
MOUNT = {"xfs": ["-o", "nouuid"]}
SECTOR = 512
FLUSH = None

libc = ctypes.CDLL(None, use_errno=True)


class Disk(threading.Thread):
    """A FUSE server with one file, `disk`. Its log holds (offset, bytes) and FLUSH, in the order they came."""

    def __init__(self, directory, size):
        super().__init__(daemon=True)
        self.size, self.log, self.data = size, [], bytearray(size)
        self.fd = os.open("/dev/fuse", os.O_RDWR)
        self.directory = directory
        options = f"fd={self.fd},rootmode=40000,user_id=0,group_id=0".encode()
        if libc.mount(b"disk", directory.encode(), b"fuse", 0, options):
            raise OSError(ctypes.get_errno(), "cannot mount FUSE")

    def attributes(self, node):
        mode, size = (0o40755, 0) if node == 1 else (0o100600, self.size)
        return struct.pack("<6Q10I", node, size, size // 512, 0, 0, 0, 0, 0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def run(self):
        while True:
            try:
                request = os.read(self.fd, (1 << 20) + 8192)
            except OSError:
                return
            _, opcode, unique, node = struct.unpack_from("<IIQQ", request)
            answer = self.answer(opcode, node, memoryview(request)[40:])
            if answer is not None:
                error, body = (-answer, b"") if isinstance(answer, int) else (0, answer)
                os.write(self.fd, struct.pack("<IiQ", 16 + len(body), error, unique) + body)

    def answer(self, opcode, node, body):
        match opcode:
            case 26:  # INIT: BIG_WRITES and MAX_PAGES, up to 1 MiB in one write; no cache of writes
                return struct.pack("<4I2H2I2H8I", 7, 31, 1 << 20, 1 << 5 | 1 << 22, 16, 12, 1 << 20, 1, 256, 0, *[0] * 8)
            case 1:  # LOOKUP
                if bytes(body).rstrip(b"\0") != b"disk":
                    return 2
                return struct.pack("<4Q2I", 2, 0, 3600, 3600, 0, 0) + self.attributes(2)
            case 3 | 4:  # GETATTR, SETATTR
                return struct.pack("<QII", 3600, 0, 0) + self.attributes(node)
            case 14 | 27:  # OPEN, OPENDIR
                return struct.pack("<QII", 0, 0, 0)
            case 15:  # READ
                _, offset, size = struct.unpack_from("<QQI", body)
                return bytes(self.data[offset : offset + size])
            case 16:  # WRITE
                _, offset, size = struct.unpack_from("<QQI", body)
                written = bytes(body[40 : 40 + size])
                self.data[offset : offset + size] = written
                self.log.append((offset, written))
                return struct.pack("<II", size, 0)
            case 20:  # FSYNC. One thread answers: what came before it was answered before it.
                self.log.append(FLUSH)
                return b""
            case 18 | 25 | 29:  # RELEASE, FLUSH (which is close), RELEASEDIR
                return b""
            case 17:  # STATFS
                return struct.pack("<5Q4I6I", 0, 0, 0, 0, 0, 4096, 255, 4096, 0, *[0] * 6)
            case 2 | 36 | 42:  # FORGET, INTERRUPT, BATCH_FORGET want no answer
                return None
            case _:
                return 38

    def end(self):
        libc.umount2(self.directory.encode(), 2)


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options)


class Mounted:
    """A file system on a loop device over `file`."""

    def __init__(self, kind, file, directory, make=False):
        self.device = run("losetup", "--find", "--show", file).stdout.strip()
        self.directory = directory
        try:
            if make:
                run(*MKFS[kind], self.device)
            run("mount", "-t", kind, *MOUNT.get(kind, []), self.device, directory)
        except subprocess.CalledProcessError as error:
            run("losetup", "--detach", self.device)
            raise RuntimeError(error.stderr) from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        run("umount", self.directory)
        run("losetup", "--detach", self.device)


def child(binary, task, place):
    environment = dict(os.environ, PITSTOP_TEST_TASK=task, PITSTOP_TEST_PLACE=place)
    command = [binary, "power_cut::child", "--exact", "--nocapture", "--test-threads=1"]
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def record(kind, binary, task, scratch, mount):
    """Runs the task on a fresh file system. Gives the disk, where the program began, and what it was told."""
    fuse = os.path.join(scratch, "fuse")
    os.makedirs(fuse, exist_ok=True)
    disk = Disk(fuse, SIZE[kind])
    disk.start()
    try:
        with Mounted(kind, os.path.join(fuse, "disk"), mount, make=True):
            run("sync", "-f", mount)
            begin, told = len(disk.log), []
            program = child(binary, task, mount)
            for line in program.stderr:
                if line.startswith("@"):
                    # By now more may be in the log than when it was told: that only asks for less.
                    told.append((len(disk.log), line[1:].strip()))
                else:
                    print(line, end="", file=sys.stderr)
            if program.wait() != 0:
                raise RuntimeError(f"the program failed on {kind}")
            end = len(disk.log)
    finally:
        disk.end()
    return disk.log, begin, end, told


def judge(kind, binary, recording, points, seed, scratch, mount):
    """Cuts the power at so many points. Gives how many images were good, and what was wrong with the others."""
    log, begin, end, told = recording
    choice = random.Random(seed)
    base, cut = os.path.join(scratch, "base"), os.path.join(scratch, "cut")
    with open(base, "wb") as file:
        file.truncate(SIZE[kind])
    durable, good, bad = 0, 0, []
    # Half of them right after the program was told something.
    told_at = [at for at, _ in told]
    cuts = [choice.choice(told_at) if i % 2 else choice.randint(begin, end) for i in range(points)]
    for point in sorted(cuts):
        flushed = max((i for i in range(durable, point) if log[i] is FLUSH), default=durable)
        apply(base, [write for write in log[durable:flushed] if write is not FLUSH])
        durable = flushed
        run("cp", "--sparse=always", base, cut)
        way, survived = survivors([write for write in log[durable:point] if write is not FLUSH], choice)
        apply(cut, survived)
        acknowledged = dict(what.split("=") for at, what in told if at <= point)
        try:
            with Mounted(kind, cut, mount):
                task = " ".join(["check", *(f"{name}={n}" for name, n in acknowledged.items())])
                check = child(binary, task, mount)
                words = check.stderr.read()
                failed = check.wait() != 0
        except RuntimeError as error:
            words, failed = f"cannot be mounted: {error}", True
        if failed:
            line = next((line for line in words.splitlines() if re.search("stands|Err|lost|part|mounted", line)), words)
            bad.append(f"{kind}, seed {seed}, cut at {point} of {begin}..{end}, {way}: {line.strip()}")
        else:
            good += 1
    return good, bad


def survivors(writes, choice):
    """Any subset of what was not flushed, in any order, cut at sectors."""
    way = choice.choice(["none survive", "all survive", "some survive", "some sectors survive"])
    if way == "none survive":
        return way, []
    if way == "all survive":
        return way, writes
    if way == "some sectors survive":
        writes = [
            (offset + at, data[at : at + SECTOR]) for offset, data in writes for at in range(0, len(data), SECTOR)
        ]
    return way, [write for write in writes if choice.random() < 0.5]


def apply(image, writes):
    with open(image, "r+b") as file:
        for offset, data in writes:
            file.seek(offset)
            file.write(data)


def main():
    kind, binary, saves, points, seed = sys.argv[1:]
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    scratch = tempfile.mkdtemp(prefix="power-cut-", dir=memory)
    mount = os.path.join(scratch, "mount")
    os.mkdir(mount)
    try:
        recording = record(kind, binary, f"save {saves}", scratch, mount)
        good, bad = judge(kind, binary, recording, int(points), int(seed), scratch, mount)
        log, begin, end, told = recording
        flushes = sum(entry is FLUSH for entry in log[begin:end])
        print(f"{kind}: {len(told)} acknowledgements, {flushes} flushes, {good} of {good + len(bad)} cuts good")
        # A judge that never finds anything is none.
        recording = record(kind, binary, f"careless {saves}", scratch, mount)
        _, found = judge(kind, binary, recording, 20, int(seed), scratch, mount)
        print(f"{kind}: without flushes, {len(found)} of 20 cuts are found out")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print("\n".join(bad), file=sys.stderr)
    print(f"{good + bool(found)} passed, {len(bad) + (not found)} failed")
    sys.exit(1 if bad or not found else 0)


main()
