"""Finding a job's processor and making it ready."""

from __future__ import annotations

import importlib
import inspect
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from batchbook.batch.processors import FunctionProcessor, JobContext, Processor
from batchbook.config import JobConfig, did_you_mean
from batchbook.errors import BatchbookError, ConfigurationError, Finding

GROUP = "batchbook.processors"
"""Installed packages offer processors under this entry point group."""


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

    The job file's folder and the base folder are on the import path.
    """
    for folder in (job.base.folder, job.path.parent):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    name = job.processor
    target = _import(job, *name.split(":", 1)) if ":" in name else _entry_point(job, name)
    if inspect.isclass(target):
        if not issubclass(target, Processor):
            raise _wrong(job, f"{name} is a class, but not one derived from batchbook.Processor")
    elif not callable(target):
        raise _wrong(job, f"{name} is a {type(target).__name__}, neither a function nor a Processor class")
    return Target(target)


def _import(job: JobConfig, module_name: str, attribute: str) -> Any:
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
    found: Any = module
    for part in attribute.split("."):
        if not hasattr(found, part):
            public = [name for name in vars(module) if not name.startswith("_") and callable(getattr(module, name))]
            raise _wrong(job, f"the module {module_name} has no {attribute!r}{did_you_mean(attribute, public)}")
        found = getattr(found, part)
    return found


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


def make_processor(job: JobConfig, target: Target, context: JobContext) -> Processor:
    """An instance for one run; ConfigurationError where the options do not fit or it cannot be made."""
    if not target.is_class:
        if job.options:
            raise _wrong(job, "options are given, but a function takes none (derive a class from batchbook.Processor)")
        return FunctionProcessor(target.target, context)
    kind: type[Processor] = target.target
    try:
        options = kind.Options.model_validate(dict(job.options))
    except ValidationError as error:
        findings = [
            Finding(f"options.{'.'.join(map(str, one['loc']))}: {one['msg']}", job.path.name, value=one.get("input"))
            for one in error.errors()
        ]
        raise ConfigurationError(
            f"The options of {job.path.name} do not fit the processor.", "Mend the places named.", findings=findings
        ) from error
    try:
        return kind(options, context)
    except BatchbookError:
        raise
    except Exception as error:  # a user's constructor may do anything
        raise _wrong(job, f"making {kind.__name__} raised {_where(error, kind.__module__)}") from error
