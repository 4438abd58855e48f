"""Whole files copied so that the target is the old one or the new one, never half."""

from __future__ import annotations

import stat
from pathlib import Path

from batchbook.storage import files
from batchbook.storage.temporary import temporary_for
from batchbook.storage.trouble import WorkbookChanged, check_writable, confirm, named_trouble
from batchbook.xlsx import digest_of


def copy_durably(source: Path, target: Path) -> str:
    """Copy a workbook onto a target and give its digest. A target that is there keeps owner and permissions.

    The caller holds the target's lock. Raises SaveFailed, and WorkbookChanged if the source changes meanwhile.
    """
    target = target.resolve()
    digest = digest_of(source)
    with named_trouble(target):
        check_writable(target)
        there = target.exists()
        files.make_folder(target.parent)
        mode = 0o600 if there else stat.S_IMODE(source.stat().st_mode) & 0o777
        with temporary_for(target, "copy", mode) as temporary:
            temporary.clone(source)
            if there:
                temporary.take_attributes(target)
            temporary.sync()
            if digest_of(temporary.path) != digest:
                raise WorkbookChanged(source.name, digest_of(source))
            temporary.publish()
    confirm(target)
    return digest
