import re
from pathlib import Path

import batchbook.tables

RULE = re.compile(r"\b(?:Trouble|Wrong)\(\s*\"([a-z-]+)\"")
ROOT = Path(__file__).parents[2]


def test_every_rule_of_record_sheets_is_explained_and_no_other():
    sources = Path(batchbook.tables.__file__).parent.glob("*.py")
    known = {rule for source in sources for rule in RULE.findall(source.read_text(encoding="utf-8"))}
    explained = set(
        re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs/records.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert known == explained
    assert len(known) > 20
