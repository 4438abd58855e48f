"""The systems that this installation has, for verbs that find a system's name in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchbook.batch.systems import System
    from batchbook.config import BaseConfig
    from batchbook.isbn.system import IsbnSystem


def systems_of(base: BaseConfig) -> Callable[[str], System | None]:
    """Gives the system of a name, by its settings in a base configuration; None where there is no such system."""

    def find(name: str) -> System | None:
        return isbn_of(base) if name == "isbn" else None

    return find


def isbn_of(base: BaseConfig) -> IsbnSystem:
    """The ISBN system by its settings in a base configuration. Raises ConfigurationError with what is wrong there."""
    from batchbook.isbn.system import isbn_system

    return isbn_system(base.sections["isbn"], base.folder, file=str(base.file or ""), zone=base.zone)


def installed_jobs() -> dict[str, Path]:
    """The files of the jobs that came along with the systems, by the jobs' names."""
    from batchbook.cli.starter import samples_folder

    return {name: samples_folder() / f"{name}.yaml" for name in ("isbn-bulk", "isbn-assign-due")}
