"""A directory that root and users share: with the members of a group, and with nobody else.

It is set-group-id and closed to others (2770), and so is all that Pitstop makes in it (files: 0660), whoever makes it
and whatever the umask. The group is

1. the one that the directory has, if root or this user made it so: an administrator's word;
2. `$PITSTOP_CHECKBOX_GROUP`, a name or a number;
3. for root that came by sudo, the group of who called it;
4. this user's own.

In /var/tmp anybody can be the first to make it. So each directory on the way is opened without following a stranger's
link, and used only if root or this user owns it, or a member of the group, and nobody else may write in it. Root takes
over what a member made, closes what is open to everyone and its own, as Checkbox makes it, and moves all else aside;
others refuse it.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat

from pitstop.compat._storage import logger

SHARED = stat.S_ISGID | stat.S_IRWXU | stat.S_IRWXG
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def make_shared(base: str, *below: str) -> None:
    """Makes a directory, and those below it, where there are none, and sees to it that only its group shares them.

    Raises `PermissionError` where somebody else could change what is kept there.
    """
    os.makedirs(os.path.dirname(base) or ".", exist_ok=True)
    _descend(base, below, make=True)


def is_shared(base: str, *below: str) -> bool:
    """Whether the directories are there. Those that are, are looked at as `make_shared` does."""
    return _descend(base, below, make=False)


def make_directory(directory: str) -> None:
    """Makes a directory in one that is shared, which has the group already."""
    try:
        os.mkdir(directory, stat.S_IRWXU)
    except FileExistsError:
        return
    # By now a member of the group may have put something else there.
    descriptor = os.open(directory, _DIRECTORY | os.O_NOFOLLOW)
    try:
        is_ours = os.fstat(descriptor).st_uid == os.geteuid()
        if is_ours and os.stat("..", dir_fd=descriptor).st_mode & stat.S_ISGID:
            os.fchmod(descriptor, SHARED)
    finally:
        os.close(descriptor)


def _descend(base: str, below: tuple[str, ...], make: bool) -> bool:
    place = os.path.dirname(base) or "."
    try:
        above = os.open(place, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    group: int | None = None
    for name in (os.path.basename(base), *below):
        place = os.path.join(place, name)
        try:
            descriptor = _enter(above, name, place, group, make)
        finally:
            os.close(above)
        if descriptor is None:
            return False
        above, group = descriptor, os.fstat(descriptor).st_gid
    os.close(above)
    return True


def _enter(above: int, name: str, place: str, group: int | None, make: bool) -> int | None:
    """Opens a directory that can be trusted; `None` if there is none. `group` is that of the one above it, if that
    is shared already."""
    made = False
    while True:
        try:
            descriptor = _open(above, name, place)
        except FileNotFoundError:
            if not make:
                return None
            try:
                os.mkdir(name, stat.S_IRWXU, dir_fd=above)
                made = True
            except FileExistsError:
                pass
            continue
        try:
            problem = _problem(descriptor, group, made)
            if problem is None:
                there = os.fstat(descriptor)
                # What a member of the group made is root's from now on, or that member could open it again.
                if made or _can_close(there) or (os.geteuid() == 0 and there.st_uid != 0):
                    _share(descriptor, group, place, made)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        _refuse(above, name, place, problem)


def _open(above: int, name: str, place: str) -> int:
    """Whoever made a link in a directory that is everybody's decides what is opened."""
    while True:
        try:
            return os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
        except FileNotFoundError:
            raise
        except PermissionError as error:
            group = _name(os.stat(name, dir_fd=above, follow_symlinks=False).st_gid)
            text = f"only its group may use it, which {group} is"
            raise PermissionError(errno.EACCES, text, place) from error
        except OSError:
            there = os.stat(name, dir_fd=above, follow_symlinks=False)
        if stat.S_ISLNK(there.st_mode) and there.st_uid in (0, os.geteuid()):
            return os.open(name, _DIRECTORY, dir_fd=above)
        _refuse(above, name, place, f"it is no directory, and user {there.st_uid} made it")


def _problem(descriptor: int, group: int | None, made: bool) -> str | None:
    """Why what is kept there could be changed by somebody else."""
    there, me = os.fstat(descriptor), os.geteuid()
    is_open = bool(there.st_mode & stat.S_IWOTH)
    if there.st_uid in (0, me):
        return None if made or not is_open or _can_close(there) else "it is open to everyone"
    shared = _group() if group is None else group
    if me != 0 and there.st_gid in (os.getegid(), *os.getgroups()):
        shared = there.st_gid
    if is_open or there.st_gid != shared or not _is_member(there.st_uid, shared):
        return f"it belongs to user {there.st_uid}, with whom this one shares no group"
    return None


def _can_close(there: os.stat_result) -> bool:
    is_open = bool(there.st_mode & stat.S_IWOTH)
    return is_open and os.geteuid() in (0, there.st_uid)


def _share(descriptor: int, group: int | None, place: str, made: bool) -> None:
    if not made:
        logger.warning("Only the members of a group share %r from now on", place)
    is_root = os.geteuid() == 0
    os.fchown(descriptor, 0 if is_root else -1, _group() if group is None else group)
    os.fchmod(descriptor, SHARED)


def _refuse(above: int, name: str, place: str, problem: str) -> None:
    """Root moves aside what is no place to keep anything in; others can only refuse it."""
    if os.geteuid() != 0:
        raise PermissionError(errno.EACCES, f"not safe to use: {problem}", place)
    number = 1
    while True:
        aside = f"{name}.aside-{number}"
        try:
            os.stat(aside, dir_fd=above, follow_symlinks=False)
            number += 1
        except FileNotFoundError:
            break
    os.rename(name, aside, src_dir_fd=above, dst_dir_fd=above)
    logger.warning("Moved %r aside to %r: %s", place, aside, problem)


def _group() -> int:
    named = os.environ.get("PITSTOP_CHECKBOX_GROUP")
    if named:
        return int(named) if named.isdigit() else grp.getgrnam(named).gr_gid
    caller = os.environ.get("SUDO_GID", "")
    if os.geteuid() == 0 and caller.isdigit():
        return int(caller)
    return os.getegid()


def _is_member(user: int, group: int) -> bool:
    try:
        known = pwd.getpwuid(user)
    except KeyError:
        return False
    return group in os.getgrouplist(known.pw_name, known.pw_gid)


def _name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)
