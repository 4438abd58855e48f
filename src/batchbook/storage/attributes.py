"""What is around a file's content: owner, group, access list, permissions, the attributes that people set."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from batchbook.storage import files

_NOT_KEPT = {errno.EPERM, errno.EACCES, errno.E2BIG, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
_ACL = "system.posix_acl_access"


def copy_attributes(source: Path, fd: int) -> list[str]:
    """Give an open file what is around another one's content (see above); says what could not be kept."""
    if sys.platform == "win32":
        return []
    found = source.stat()
    lost = _copy_owner(found, os.fstat(fd), fd)
    lost += _copy_access_list(source, fd)
    lost += _copy_user_attributes(source, fd)
    mode = stat.S_IMODE(found.st_mode)
    if (os.fstat(fd).st_uid, os.fstat(fd).st_gid) != (found.st_uid, found.st_gid):
        mode &= 0o777  # set-user-id and the like are not for another owner
    if _refused(lambda: files.ops.chmod(fd, mode)) and stat.S_IMODE(os.fstat(fd).st_mode) != mode:
        lost.append(f"its permissions ({mode:o})")
    return lost


def _refused(change: Callable[[], None]) -> bool:
    try:
        change()
    except OSError as error:
        if error.errno not in _NOT_KEPT:
            raise
        return True
    return False


def _copy_owner(found: os.stat_result, made: os.stat_result, fd: int) -> list[str]:
    if (found.st_uid, found.st_gid) == (made.st_uid, made.st_gid):
        return []
    if not _refused(lambda: files.ops.chown(fd, found.st_uid, found.st_gid)):
        return []
    lost = [] if found.st_uid == made.st_uid else [f"its owner (user {found.st_uid})"]
    if found.st_gid != made.st_gid and _refused(lambda: files.ops.chown(fd, -1, found.st_gid)):
        lost.append(f"its group ({found.st_gid})")
    return lost


def _copy_access_list(source: Path, fd: int) -> list[str]:
    wanted, present = _access_list(source), _access_list(fd)
    if wanted == present:
        return []
    if wanted is None:
        refused = _refused(lambda: files.ops.remove_attribute(fd, _ACL))
    else:
        value = wanted
        refused = _refused(lambda: files.ops.set_attribute(fd, _ACL, value))
    return ["its access list"] if refused else []


def _copy_user_attributes(source: Path, fd: int) -> list[str]:
    """Tags, comments, origin: `user.` attributes. Those of other kinds are the system's own."""
    lost = []
    for name in _user_attributes(source):
        try:
            value = os.getxattr(source, name)
        except OSError:
            lost.append(name)
            continue
        if _refused(partial(files.ops.set_attribute, fd, name, value)):
            lost.append(name)
    return [f"its attributes ({', '.join(lost)})"] if lost else []


def _user_attributes(file: Path) -> list[str]:
    if sys.platform != "linux":
        return []
    try:
        return [name for name in os.listxattr(file) if name.startswith("user.")]
    except OSError:
        return []


def _access_list(file: Path | int) -> bytes | None:
    if sys.platform != "linux":
        return None
    try:
        return os.getxattr(file, _ACL)
    except OSError:
        return None
