"""What the documents say of rules is what the code has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import batchbook

ROOT = Path(__file__).parents[2]
SOURCES = Path(batchbook.__file__).parent
PLACE = {"Wrong": 0, "Trouble": 0, "Broken": 1, "_at": 2, "_warn": 2, "at": 3, "finding_of": 5}
"""Calls that name a rule, and which of their arguments it is."""
SPELLED = {"title-differs", "format-differs"}
"""Put together from the name of a field where they are used."""


def rules_in(*floors: str) -> set[str]:
    """All rules that the modules of some floors name."""
    trees = [ast.parse(file.read_text("utf-8")) for floor in floors for file in (SOURCES / floor).glob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    constants = {
        node.target.id: node.value.value
        for node in nodes
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    named = [given for node in nodes for given in _rules_of(node)]
    texts = {given.value if isinstance(given, ast.Constant) else constants.get(given.id) for given in named}
    return {text for text in texts if isinstance(text, str) and re.fullmatch("[a-z-]+", text)}


def _rules_of(node: ast.AST) -> Iterator[ast.Constant | ast.Name]:
    given: list[ast.expr] = []
    if isinstance(node, ast.Call):
        place = PLACE.get(getattr(node.func, "id", getattr(node.func, "attr", "")), len(node.args))
        given = [*node.args[place : place + 1], *(one.value for one in node.keywords if one.arg == "rule")]
    elif isinstance(node, ast.FunctionDef) and node.name == "_against":
        given = [one.elts[0] for one in ast.walk(node) if isinstance(one, ast.Tuple)]
    for one in given:
        for part in (one.body, one.orelse) if isinstance(one, ast.IfExp) else (one,):
            if isinstance(part, ast.Constant | ast.Name):
                yield part


def explained_in(document: str) -> set[str]:
    """The rules that a document has in tables with the heading "rule"."""
    text = (ROOT / "docs" / document).read_text("utf-8")
    tables = re.findall(r"^\| rule \|.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    return {rule for table in tables for rule in re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)}


def test_every_rule_of_record_sheets_is_explained_and_no_other() -> None:
    known = rules_in("tables", "batch")
    assert known == explained_in("records.md")
    assert len(known) > 25


def test_every_rule_of_isbn_workbooks_is_explained_and_no_other() -> None:
    known = rules_in("isbn") | SPELLED
    explained = explained_in("isbn.md")
    assert known - explained_in("records.md") == explained
    assert {"control-character", "check-digit", "no-block", "overlap", "lost", "set-back", "misread"} <= explained
