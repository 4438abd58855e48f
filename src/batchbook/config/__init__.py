"""From YAML to checked settings: the base configuration and the job files."""

from batchbook.config.base import (
    BASE_FILE,
    BackupSettings,
    BaseConfig,
    HistorySettings,
    LimitSettings,
    LinkSettings,
    LoggingSettings,
    StateSettings,
    find_base,
    load_base,
)
from batchbook.config.durations import format_duration, parse_duration
from batchbook.config.job import JobConfig, load_job
from batchbook.config.models import BatchSettings, Marks, SaveSettings, Select
from batchbook.config.suggest import did_you_mean
from batchbook.config.yamlfile import YamlFile, read_yaml

__all__ = [
    "BASE_FILE",
    "BackupSettings",
    "BaseConfig",
    "BatchSettings",
    "HistorySettings",
    "JobConfig",
    "LimitSettings",
    "LinkSettings",
    "LoggingSettings",
    "Marks",
    "SaveSettings",
    "Select",
    "StateSettings",
    "YamlFile",
    "did_you_mean",
    "find_base",
    "format_duration",
    "load_base",
    "load_job",
    "parse_duration",
    "read_yaml",
]
