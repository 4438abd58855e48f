"""Settings from several sources laid over each other, each value with the place it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batchbook.config.yamlfile import KeyPath, YamlFile


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from: a file, with its line, or the name of another source."""

    source: str
    line: int | None = None


@dataclass(slots=True)
class Layers:
    """What the sources laid down so far give together; a later source wins, mappings are joined key by key."""

    data: dict[str, Any] = field(default_factory=dict)
    files: list[YamlFile] = field(default_factory=list)
    others: dict[KeyPath, str] = field(default_factory=dict)

    def add_file(self, file: YamlFile) -> None:
        """Lay a file's content, a mapping, over what is there."""
        self.files.append(file)
        _join(self.data, file.data or {})

    def add_defaults(self, data: Mapping[str, Any]) -> None:
        """Lay down values that were checked where they came from."""
        _join(self.data, data)

    def set(self, path: tuple[str, ...], value: Any, source: str) -> None:
        """Lay one value over what is there, naming its source."""
        inside = self.data
        for key in path[:-1]:
            if not isinstance(inside.get(key), dict):
                inside[key] = {}
            inside = inside[key]
        if isinstance(value, Mapping) and isinstance(inside.get(path[-1]), dict):
            _join(inside[path[-1]], value)
        else:
            inside[path[-1]] = _copy(value)
        self.others[path] = source

    def origin(self, path: KeyPath, *, of_key: bool = False) -> Origin | None:
        """Where the value at a path came from, or that of the nearest place above it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.others:
                return Origin(self.others[path[:length]])
        # What stands below a path that another source gave is found above; a place above all is the last file.
        for file in reversed(self.files):
            return Origin(str(file.path), file.line(path, of_key=of_key))
        return None


def dotted(path: KeyPath) -> str:
    """A path in words: ``batch.size``, ``writes[2]`` (positions count from 1)."""
    said = ""
    for part in path:
        said += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if said else part
    return said


def _join(under: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        below = under.get(key)
        if isinstance(value, Mapping) and isinstance(below, dict):
            _join(below, value)
        else:
            under[key] = _copy(value)


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copy(item) for item in value]
    return value
