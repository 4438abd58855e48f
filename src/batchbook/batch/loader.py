"""Finding a job's processor and making it ready."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from batchbook.batch.misfits import misfits
from batchbook.batch.processors import FunctionProcessor, JobContext, Processor
from batchbook.config import JobConfig, did_you_mean
from batchbook.errors import BatchbookError, ConfigurationError, Finding
from batchbook.hiding import learn

GROUP = "batchbook.processors"
"""Installed packages offer processors under this entry point group."""


_NAME = re.compile(r"(?!\d)\w+(\.(?!\d)\w+)*")
_brought: set[str] = set()
"""Top modules that were imported here for a job: another job may have its own under the same name."""


@dataclass(frozen=True, slots=True)
class Target:
    """What `processor:` names: a function or a Processor class, with the columns it works on by default."""

    target: Any

    @property
    def is_class(self) -> bool:
        """Whether it is a Processor class rather than a function."""
        return inspect.isclass(self.target)


def find_processor(job: JobConfig) -> Target:
    """Import what the job's `processor:` names; ConfigurationError saying why where that fails.

    A module is named by its full dotted name. It is looked for in the job file's folder, in the base folder, then
    among the installed packages; never by a path, and nothing but the job file says which.
    """
    for folder in (str(job.base.folder), str(job.path.parent)):
        # Also where it is on the path already: what lies beside this job file comes before what another job brought.
        sys.path[:] = [folder, *(other for other in sys.path if other != folder)]
    name = job.processor
    target = _import(job, *name.split(":", 1)) if ":" in name else _entry_point(job, name)
    if inspect.isclass(target):
        if not issubclass(target, Processor):
            raise _wrong(job, f"{name} is a class, but not one derived from batchbook.Processor")
    elif not callable(target):
        raise _wrong(job, f"{name} is a {type(target).__name__}, neither a function nor a Processor class")
    return Target(target)


def _import(job: JobConfig, module_name: str, attribute: str) -> Any:
    if not _NAME.fullmatch(module_name) or not _NAME.fullmatch(attribute):
        raise _wrong(
            job, f"{module_name}:{attribute} is not a module's full name and what it holds (names joined by dots)"
        )
    _make_room(job, module_name)
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and not (module_name == error.name or module_name.startswith(error.name + ".")):
            raise _wrong(job, f"the module {module_name} needs {error.name!r}, which is not installed") from error
        searched = ", ".join(dict.fromkeys(str(folder) for folder in (job.path.parent, job.base.folder)))
        raise _wrong(
            job, f"there is no module {module_name!r} in {searched} or among the installed packages"
        ) from error
    except Exception as error:  # any code of a user's may run, and fail, at import
        raise _wrong(job, f"importing {module_name} raised {_where(error, module_name)}") from error
    _brought.add(module_name.partition(".")[0])
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            public = [name for name in vars(module) if not name.startswith("_") and callable(getattr(module, name))]
            raise _wrong(job, f"the module {module_name} has no {attribute!r}{did_you_mean(attribute, public)}")
        found = getattr(found, part)
    return found


def _make_room(job: JobConfig, module_name: str) -> None:
    """Forget a module of the same name that another job of this process brought from its own folder.

    A module beside the job file whose name is that of one loaded from elsewhere could be had only by breaking who uses
    that one: it is refused.
    """
    top = module_name.partition(".")[0]
    loaded = sys.modules.get(top)
    importlib.invalidate_caches()
    beside = PathFinder.find_spec(top, [str(job.path.parent), str(job.base.folder)])
    if beside is None or beside.origin is None:
        return
    if top in sys.stdlib_module_names:
        raise _wrong(job, f"{beside.origin} has the name of a module of Python's own; give it another name")
    held = getattr(loaded, "__file__", None)
    if loaded is None or held is None or Path(held).resolve() == Path(beside.origin).resolve():
        return
    if top not in _brought:
        raise _wrong(job, f"{beside.origin} has the name of a module that is in use, {held}; give it another name")
    for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
        del sys.modules[name]


def _where(error: Exception, module_name: str) -> str:
    """The error with the line of the module it came from."""
    trace, line = error.__traceback__, ""
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        if file.stem == module_name.rsplit(".", 1)[-1]:
            line = f" at {file.name}:{trace.tb_lineno}"
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and error.filename:
        line = f" at {Path(error.filename).name}:{error.lineno}"
    return f"{type(error).__name__}: {error}{line}"


def _entry_point(job: JobConfig, name: str) -> Any:
    known = {point.name: point for point in entry_points(group=GROUP)}
    if name not in known:
        listed = f"; installed: {', '.join(sorted(known))}" if known else ""
        raise _wrong(job, f"{name!r} is neither module:name nor an installed processor{listed}")
    try:
        return known[name].load()
    except Exception as error:  # as for an import
        raise _wrong(
            job, f"the installed processor {name} cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def _wrong(job: JobConfig, message: str) -> ConfigurationError:
    return ConfigurationError(
        f"The processor of {job.path.name} cannot be used: {message}.",
        "Set `processor:` to `module:function` or `module:Class`, with the module beside the job file or installed.",
    )


_REFERENCE = re.compile(r"\$(\$)?\{([^{}]*)\}")


def _with_secrets(job: JobConfig, environ: Mapping[str, str]) -> dict[str, Any]:
    """The job's options with ``${NAME}`` in their texts replaced by environment variables; ``$${`` stays as ``${``.

    Only the processor gets the values: the job's definition, and all that is said of it, has the names.
    """
    missing: list[Finding] = []

    def filled(value: Any, place: str) -> Any:
        if isinstance(value, Mapping):
            return {key: filled(item, f"{place}.{key}") for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [filled(item, f"{place}[{number}]") for number, item in enumerate(value, 1)]
        return _REFERENCE.sub(lambda found: _referred(found, place), value) if isinstance(value, str) else value

    def _referred(found: re.Match[str], place: str) -> str:
        escaped, name = found.groups()
        if escaped:
            return found.group()[1:]
        if not environ.get(name):
            missing.append(Finding(f"{place} needs the environment variable {name!r}, which is not set", job.path.name))
            return ""
        learn([(name, environ[name])])
        return environ[name]

    options = {name: filled(value, f"options.{name}") for name, value in job.options.items()}
    if missing:
        raise ConfigurationError(
            f"The options of {job.path.name} refer to environment variables that are not set.",
            "Set them for the process that runs the job; write `$${` for a text that holds `${`.",
            findings=missing,
        )
    return options


def make_processor(job: JobConfig, target: Target, context: JobContext) -> Processor:
    """An instance for one run; ConfigurationError where the options do not fit or it cannot be made."""
    if not target.is_class:
        if job.options:
            raise _wrong(job, "options are given, but a function takes none (derive a class from batchbook.Processor)")
        return FunctionProcessor(target.target, context)
    kind: type[Processor] = target.target
    try:
        options = kind.Options.model_validate(_with_secrets(job, os.environ))
    except ValidationError as error:
        raise ConfigurationError(
            f"The options of {job.path.name} do not fit the processor.",
            "Mend the places named.",
            findings=misfits(kind.Options, error, job.path.name),
        ) from None  # its own text holds parts of the values, secrets among them
    try:
        return kind(options, context)
    except BatchbookError:
        raise
    except Exception as error:  # a user's constructor may do anything
        raise _wrong(job, f"making {kind.__name__} raised {_where(error, kind.__module__)}") from error
