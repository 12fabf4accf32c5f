"""A directory that root and users share: with the members of a group, and with nobody else.

It is set-group-id and closed to others (2770), and so is all that Pitstop makes in it (files: 0660), whoever makes it
and whatever the umask. The group is

1. the one that the directory has, if root or this user made it so: an administrator's word;
2. `$PITSTOP_CHECKBOX_GROUP`, a name or a number;
3. for root that came by sudo, the group of who called it;
4. this user's own.

Root takes a directory over that somebody else was first to make in /var/tmp, and closes one that is open to everyone,
as Checkbox makes it. Others refuse what belongs to somebody with whom they share no group.
"""

from __future__ import annotations

import errno
import grp
import os
import stat

from pitstop.compat._storage import logger

SHARED = stat.S_ISGID | stat.S_IRWXU | stat.S_IRWXG


def make_shared(directory: str) -> None:
    """Makes the directory where there is none, and sees to it that only its group shares it."""
    os.makedirs(os.path.dirname(directory) or ".", exist_ok=True)
    try:
        os.mkdir(directory, stat.S_IRWXU)
        made = True
    except FileExistsError:
        made = False
    descriptor = _open(directory)
    try:
        _share(descriptor, directory, made)
    finally:
        os.close(descriptor)


def make_directory(directory: str) -> None:
    """Makes a directory in one that is shared, which has the group already."""
    try:
        os.mkdir(directory, stat.S_IRWXU)
    except FileExistsError:
        return
    if os.stat(os.path.dirname(directory)).st_mode & stat.S_ISGID:
        os.chmod(directory, SHARED)


def _open(directory: str) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        return os.open(directory, flags | os.O_NOFOLLOW)
    except PermissionError as error:
        text = f"only its group may use it, which {_name(os.stat(directory).st_gid)} is"
        raise PermissionError(errno.EACCES, text, directory) from error
    except OSError:
        # Whoever made the link in a directory that is everybody's decides what is opened.
        link = os.lstat(directory)
        if not stat.S_ISLNK(link.st_mode) or link.st_uid not in (0, os.geteuid()):
            raise
        return os.open(directory, flags)


def _share(descriptor: int, directory: str, made: bool) -> None:
    is_root, there = os.geteuid() == 0, os.fstat(descriptor)
    is_ours = there.st_uid in (0, os.geteuid())
    is_open = bool(there.st_mode & stat.S_IWOTH)
    if not made and is_ours and not is_open:
        return
    if made or is_root or there.st_uid == os.geteuid():
        if not made:
            logger.warning("Only the members of a group share %r from now on", directory)
        os.fchown(descriptor, 0 if is_root else -1, _group())
        os.fchmod(descriptor, SHARED)
    elif is_ours:
        logger.warning("%r is open to everyone, and only root can close it", directory)
    elif is_open or there.st_gid not in (os.getegid(), *os.getgroups()):
        text = f"it belongs to user {there.st_uid}, with whom this one shares no group"
        raise PermissionError(errno.EACCES, text, directory)


def _group() -> int:
    named = os.environ.get("PITSTOP_CHECKBOX_GROUP")
    if named:
        return int(named) if named.isdigit() else grp.getgrnam(named).gr_gid
    caller = os.environ.get("SUDO_GID", "")
    if os.geteuid() == 0 and caller.isdigit():
        return int(caller)
    return os.getegid()


def _name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)
