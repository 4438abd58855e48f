"""Make the sample ISBN workbook, `data/samples/isbn.xlsx`; the same bytes at every run. Run from anywhere:

python tools/make_isbn_sample.py [FOLDER]      FOLDER instead of data/samples
"""

from __future__ import annotations

import sys
from pathlib import Path

from batchbook.isbn.sample import AS_OF, sample_records
from batchbook.isbn.workbook import new_isbn_workbook

SAMPLES = Path(__file__).resolve().parents[1] / "data" / "samples"


def main(folder: Path = SAMPLES) -> None:
    """Write the workbook into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "isbn.xlsx").open("wb") as file:
        new_isbn_workbook(file, records=sample_records(), made=AS_OF.replace(tzinfo=None))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
