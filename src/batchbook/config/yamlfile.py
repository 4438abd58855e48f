"""YAML files as plain values, with the line of every key and value, and all that is wrong said at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from batchbook.errors import ConfigurationError, Finding

KeyPath = tuple[str | int, ...]
"""The way to a value: keys of mappings and positions in lists."""

# Aliases let a small file stand for a huge value; no configuration needs this many values.
_MOST_VALUES = 100_000
_TAB_INDENT = re.compile(rb"^[ ]*\t", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class YamlFile:
    """A YAML file's content, and the line on which each key and each value stands."""

    path: Path
    data: Any
    key_lines: dict[KeyPath, int] = field(default_factory=dict)
    value_lines: dict[KeyPath, int] = field(default_factory=dict)

    def line(self, path: KeyPath, *, of_key: bool = False) -> int | None:
        """The line of a value (or of its key); of the nearest place above it where it is not in the file."""
        first, second = (self.key_lines, self.value_lines) if of_key else (self.value_lines, self.key_lines)
        for length in range(len(path), -1, -1):
            line = first.get(path[:length], second.get(path[:length]))
            if line is not None:
                return line
        return None


def read_yaml(path: Path) -> YamlFile:
    """Read a YAML file of one document; ConfigurationError with every finding where it cannot be read as such."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ConfigurationError(f"There is no file {path}.", "Check the path.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror or error}.", "Check the path.") from error
    return parse_yaml(content, path)


def read_settings(path: Path) -> YamlFile:
    """Read a YAML file that holds a mapping, or nothing."""
    file = read_yaml(path)
    if file.data is not None and not isinstance(file.data, dict):
        wrong = [Finding("the file must be a mapping of keys to values", file=str(path), line=1)]
        raise ConfigurationError(f"{path} holds no settings.", "Mend the place named.", findings=wrong)
    return file


def parse_yaml(content: bytes, path: Path) -> YamlFile:
    """Parse YAML text that came from ``path``."""
    file = YamlFile(path, None)
    findings: list[Finding] = []
    try:
        # Building an own SafeLoader instead of yaml.safe_load keeps the marks; it makes plain values only.
        loader = yaml.SafeLoader(content)
        try:
            node = loader.get_single_node()
            data = None if node is None else _Reader(loader, file, findings).value(node, ())
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        findings = _tabs(content, path) or [_syntax(error, content, path)]
        data = None
    except RecursionError:
        findings = [Finding("is nested too deeply", file=str(path))]
        data = None
    if findings:
        raise ConfigurationError(f"{path} is not a sound YAML file.", "Mend the places named.", findings=findings)
    return YamlFile(path, data, file.key_lines, file.value_lines)


class _Reader:
    """Turns nodes into values, noting lines and collecting what is wrong."""

    def __init__(self, loader: yaml.SafeLoader, file: YamlFile, findings: list[Finding]) -> None:
        self.loader = loader
        self.file = file
        self.findings = findings
        self.open: set[int] = set()
        self.seen = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        """The value of a node and all below it."""
        self.file.value_lines[path] = node.start_mark.line + 1
        self.seen += 1
        if self.seen > _MOST_VALUES or id(node) in self.open:
            raise yaml.constructor.ConstructorError(None, None, "aliases make it endless or huge", node.start_mark)
        self.open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
                return [self.value(item, (*path, place)) for place, item in enumerate(node.value)]
            return self._plain(node)
        finally:
            self.open.discard(id(node))

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        first_line: dict[str, int] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._key(key_node)
            if key is None:
                continue
            if key in result:
                self._wrong(key_node, f"the key {key!r} stands twice, first on line {first_line[key]}")
                continue
            first_line[key] = line
            self.file.key_lines[(*path, key)] = line
            result[key] = self.value(value_node, (*path, key))
        return result

    def _key(self, node: yaml.Node) -> str | None:
        if not isinstance(node, yaml.ScalarNode):
            self._wrong(node, "a key must be text")
            return None
        if node.tag == "tag:yaml.org,2002:merge":
            self._wrong(node, "merge keys (<<) are not supported; write the keys out")
            return None
        if node.tag != "tag:yaml.org,2002:str":
            self._wrong(node, f"the key {node.value} is not text to YAML; put it in quotes")
            return None
        return str(node.value)

    def _plain(self, node: yaml.Node) -> Any:
        try:
            return self.loader.construct_object(node, deep=True)
        except yaml.constructor.ConstructorError:
            self._wrong(node, f"the tag {node.tag} is not allowed here")
        except (ValueError, LookupError, AttributeError) as error:
            # The loader's own constructors raise all of these for a tag that does not fit (`!!bool x`, `!!int ''`).
            self._wrong(node, f"{node.value!r} cannot be read ({error}); put it in quotes if it is text")
        return None

    def _wrong(self, node: yaml.Node, message: str) -> None:
        line = node.start_mark.line + 1
        self.findings.append(Finding(message, file=str(self.file.path), line=line))


def _tabs(content: bytes, path: Path) -> list[Finding]:
    return [
        Finding(
            f"column {match.end() - match.start()}: a tab at the start of the line; YAML is indented with spaces",
            file=str(path),
            line=content.count(b"\n", 0, match.start()) + 1,
        )
        for match in _TAB_INDENT.finditer(content)
    ]


def _syntax(error: yaml.YAMLError, content: bytes, path: Path) -> Finding:
    if isinstance(error, yaml.reader.ReaderError):
        before = content[: error.position] if isinstance(error.position, int) else b""
        return Finding(f"cannot be read as text: {error.reason}", file=str(path), line=before.count(b"\n") + 1)
    if not isinstance(error, yaml.MarkedYAMLError):
        return Finding(str(error), file=str(path))
    mark = error.problem_mark or error.context_mark
    said = ", ".join(part for part in (error.context, error.problem) if part)
    if mark is None:
        return Finding(said, file=str(path))
    return Finding(f"column {mark.column + 1}: {said}{_hint(said)}", file=str(path), line=mark.line + 1)


def _hint(said: str) -> str:
    hints = {
        "mapping values are not allowed here": "; quote a text that holds a colon, and check the indentation",
        "expected <block end>": "; check the indentation: keys of one level begin in the same column",
        "cannot start any token": "; put the text in quotes",
        "could not find expected ':'": "; a key needs a colon after it",
        "expected a single document": "; one file holds one document",
    }
    return next((hint for text, hint in hints.items() if text in said), "")
