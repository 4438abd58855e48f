"""The base configuration, ``config/batchbook.yaml``: where things lie and what holds for all jobs of a folder."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from batchbook.config.checking import Settings, Text, check, finding_at, known_keys
from batchbook.config.environment import lay_environment, unknown_names
from batchbook.config.layers import Layers
from batchbook.config.models import JobDefaults, JobFile
from batchbook.config.yamlfile import read_settings
from batchbook.errors import ConfigurationError, Finding
from batchbook.hiding import learn_environment

BASE_FILE = Path("config") / "batchbook.yaml"


class PathSettings(Settings):
    """``paths:``, where state and reports lie; relative ones count from the base folder."""

    ledger: Text = "data/checkpoints/ledger.db"
    backups: Text = "data/backups"
    reports: Text = "data/reports"
    logs: Text = "data/logs"
    cache: Text = "data/cache"


class LoggingSettings(Settings):
    """``logging:``, how much is written to the log, and to which file (default: batchbook.log among the logs)."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    file: Text | None = Field(default=None, description="the path of a file")


class BackupSettings(Settings):
    """``backups:``, how many are kept, and whether a damaged workbook may be replaced by one without asking."""

    keep: int = Field(default=10, ge=1, description="a whole number, 1 or more")
    daily_days: int = Field(default=30, ge=0, description="a whole number of days, 0 or more")
    auto_restore: bool = Field(default=False, description="true or false")


def _group_name(value: str) -> str:
    if sys.platform == "win32":
        raise ValueError("is not available on Windows: give the folder's access list to the group instead")
    import grp  # does not exist on Windows

    try:
        group = grp.getgrnam(value).gr_gid
    except KeyError:
        raise ValueError(f"names the group {value!r}, which does not exist on this machine") from None
    if os.geteuid() != 0 and group not in (os.getegid(), *os.getgroups()):
        raise ValueError(
            f"names the group {value!r}, of which this user is no member (a new membership counts from the next login)"
        )
    return value


class StateSettings(Settings):
    """``state:``, where the ledger may lie, and the group that shares ledger, backups, reports and logs."""

    allow_network: bool = Field(default=False, description="true or false")
    group: Annotated[Text, AfterValidator(_group_name)] | None = Field(
        default=None, description="the name of a group of this machine"
    )


class HistorySettings(Settings):
    """``history:``, how long the details of ended runs are kept."""

    details_days: int = Field(default=90, ge=1, description="a whole number of days, 1 or more")


class LimitSettings(Settings):
    """``limits:``, how large the parts of a workbook may be, against files that are made to fill memory."""

    max_part_mib: int = Field(default=4096, ge=1, le=1 << 20, description="a whole number of MiB, 1 to 1048576")
    max_ratio: int = Field(default=400, ge=10, le=100_000, description="a whole number, 10 to 100000")


def _address(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError("must be an address that begins with http:// or https://")
    return value


class LinkSettings(Settings):
    """``links:``, the addresses that the sample workbook's links begin with."""

    package_index: Annotated[Text, AfterValidator(_address)] | None = Field(
        default=None, description="an address that begins with http:// or https://"
    )


def _zone_name(value: str) -> str:
    zone_of(value)
    return value


def zone_of(name: str) -> dt.tzinfo:
    """The zone of a name such as Europe/Berlin; ValueError where there is none."""
    if name.upper() == "UTC":
        return dt.UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be the name of a time zone, such as Europe/Berlin or UTC") from None


SYSTEMS = ("isbn", "inventory", "pool")
"""Systems that may have a section of their own; each checks its own."""


def _books(value: Any) -> Any:
    if isinstance(value, Mapping) and all(isinstance(path, str) and path for path in value.values()):
        return dict(value)
    raise ValueError("must be a mapping of names to paths, such as {isbn: data/isbn.xlsx}")


class BaseFile(Settings):
    """The base configuration's content."""

    paths: PathSettings = PathSettings()
    timezone: Annotated[Text, AfterValidator(_zone_name)] = "UTC"
    workbooks: Annotated[dict[str, str], BeforeValidator(_books)] = Field(default={})
    defaults: JobDefaults = JobDefaults()
    logging: LoggingSettings = LoggingSettings()
    backups: BackupSettings = BackupSettings()
    state: StateSettings = StateSettings()
    history: HistorySettings = HistorySettings()
    links: LinkSettings = LinkSettings()
    limits: LimitSettings = LimitSettings()
    isbn: dict[str, Any] = Field(default={}, description="a mapping of the system's own settings")
    inventory: dict[str, Any] = Field(default={}, description="a mapping of the system's own settings")
    pool: dict[str, Any] = Field(default={}, description="a mapping of the system's own settings")


@dataclass(frozen=True, slots=True)
class BaseConfig:
    """The checked base configuration of a folder, its paths absolute."""

    folder: Path
    file: Path | None
    """``config/batchbook.yaml``, where there is one."""
    ledger: Path
    backups_folder: Path
    reports: Path
    logs: Path
    cache: Path
    log_file: Path
    timezone: str
    workbooks: Mapping[str, Path]
    defaults: Mapping[str, Any]
    """What jobs get where they say nothing, as it stands in the file."""
    logging: LoggingSettings
    backups: BackupSettings
    state: StateSettings
    history: HistorySettings
    links: LinkSettings
    limits: LimitSettings
    sections: Mapping[str, Mapping[str, Any]]
    """What stands under the name of a system (`SYSTEMS`), unchecked."""

    @property
    def zone(self) -> dt.tzinfo:
        """The zone of dates that people type."""
        return zone_of(self.timezone)

    def resolve(self, path: str | Path) -> Path:
        """A path as the configuration means it: relative ones count from the base folder."""
        return Path(os.path.abspath(self.folder / path))  # noqa: PTH100 - a link in the path stays one


def find_base(job_file: Path | None = None, workbook: Path | None = None, cwd: Path | None = None) -> Path:
    """The base folder: that of the nearest ``config/batchbook.yaml``.

    With a job, looked for above the job file; else above the current folder, then above the workbook. Where there is
    none, it is the folder of the job file or of the workbook, else the current one.
    """
    here = _absolute(cwd or Path())
    starts = [_absolute(job_file, here).parent] if job_file else [here]
    if workbook and not job_file:
        starts.append(_absolute(workbook, here).parent)
    for start in starts:
        for folder in (start, *start.parents):
            if (folder / BASE_FILE).is_file():
                return folder
    return starts[-1]


def load_base(folder: Path, environ: Mapping[str, str] = os.environ) -> BaseConfig:
    """The base configuration of a folder; the defaults where it has none. ConfigurationError with all findings."""
    base, findings = read_base(folder, environ)
    if findings or base is None:
        raise ConfigurationError("The base configuration is wrong.", "Mend the places named.", findings=findings)
    return base


def read_base(folder: Path, environ: Mapping[str, str]) -> tuple[BaseConfig | None, list[Finding]]:
    """The base configuration of a folder, or what is wrong with it."""
    learn_environment(environ)
    folder = _absolute(folder)
    file = folder / BASE_FILE if (folder / BASE_FILE).is_file() else None
    layers = Layers()
    try:
        if file is not None:
            layers.add_file(read_settings(file))
    except ConfigurationError as error:
        return None, list(error.findings) or [Finding(error.what)]
    findings = unknown_names((BaseFile, JobFile), environ) + lay_environment(layers, BaseFile, environ)
    checked, wrong = check(BaseFile, layers)
    findings += _job_keys(layers, wrong)
    if findings or checked is None:
        return None, findings
    return _config(folder, file, checked, layers.data.get("defaults") or {}), []


def _job_keys(layers: Layers, wrong: list[Finding]) -> list[Finding]:
    """The findings, with a plainer word for job keys that stand in the base configuration."""
    for key in layers.data:
        if key in known_keys(JobFile) and key not in known_keys(BaseFile):
            where = "below defaults:" if key in known_keys(JobDefaults) else "in a job file"
            plain = finding_at(layers, (key,), f"{key} stands {where}, not here", of_key=True)
            wrong = [plain if one.line == plain.line and " is not known" in one.message else one for one in wrong]
    return wrong


def _config(folder: Path, file: Path | None, checked: BaseFile, defaults: Mapping[str, Any]) -> BaseConfig:
    def at(path: str) -> Path:
        return _absolute(Path(path), folder)

    logs = at(checked.paths.logs)
    return BaseConfig(
        folder=folder,
        file=file,
        ledger=at(checked.paths.ledger),
        backups_folder=at(checked.paths.backups),
        reports=at(checked.paths.reports),
        logs=logs,
        cache=at(checked.paths.cache),
        log_file=at(checked.logging.file) if checked.logging.file else logs / "batchbook.log",
        timezone=checked.timezone,
        workbooks={name: at(path) for name, path in checked.workbooks.items()},
        defaults=defaults,
        logging=checked.logging,
        backups=checked.backups,
        state=checked.state,
        history=checked.history,
        links=checked.links,
        limits=checked.limits,
        sections={name: getattr(checked, name) for name in SYSTEMS},
    )


def _absolute(path: Path, base: Path | None = None) -> Path:
    # Not resolve(): a folder reached through a link is named as the user names it.
    return Path(os.path.abspath((base or Path()) / path))  # noqa: PTH100
