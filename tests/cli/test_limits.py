import json
from pathlib import Path

import pytest

from batchbook.cli.app import call
from batchbook.cli.output import manner
from batchbook.errors import EXIT_OK, EXIT_WORKBOOK
from batchbook.xlsx.limits import Limits, current_limits
from tests.xlsx.helpers import crafted, sheet_xml


def test_the_limits_of_the_configuration_hold_for_a_command_and_end_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    book = crafted(tmp_path, sheet_xml(" " * (2 << 20)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(manner, "json", False)  # put back when the test ends
    assert call(["check", str(book)]) == EXIT_OK
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "batchbook.yaml").write_text("limits: {max_part_mib: 1}\n")
    capsys.readouterr()
    assert call(["check", str(book), "--json"]) == EXIT_WORKBOOK
    (finding,) = json.loads(capsys.readouterr().out)["checked"][0]["findings"]
    assert "xl/worksheets/sheet1.xml" in finding
    assert current_limits() == Limits()
