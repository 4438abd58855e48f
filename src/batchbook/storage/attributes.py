"""What is around a file's content: owner, group, access list, permissions."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

from batchbook.storage import files

_NOT_KEPT = {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}
_ACL = "system.posix_acl_access"


def copy_attributes(source: Path, fd: int) -> list[str]:
    """Give an open file the owner, group, access list and permissions of another; says what could not be kept."""
    if sys.platform == "win32":
        return []
    found = source.stat()
    lost = _copy_owner(found, os.fstat(fd), fd)
    lost += _copy_access_list(source, fd)
    mode = stat.S_IMODE(found.st_mode)
    if lost:
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


def _access_list(file: Path | int) -> bytes | None:
    if sys.platform != "linux":
        return None
    try:
        return os.getxattr(file, _ACL)
    except OSError:
        return None
