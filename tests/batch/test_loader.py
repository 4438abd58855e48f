import sys

import pytest
from pydantic import BaseModel, ConfigDict

from batchbook.batch.processors import Processor
from batchbook.errors import ConfigurationError


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    limit: int = 1


class Strict(Processor):
    Options = Options
    writes = ("Result",)

    def process(self, row):
        return {"Result": self.options.limit}


def run_with(site, processor, **settings):
    site.make_job(**{"processor": "x:y", **settings})
    import json

    plain = json.loads((site.path / "job.yaml").read_text())
    (site.path / "job.yaml").write_text(json.dumps({**plain, "processor": processor}))
    return site.run()


@pytest.fixture
def module(site, monkeypatch):
    """A module beside the job file."""
    name = f"beside_{abs(hash(str(site.path)))}"

    def write(text):
        (site.path / f"{name}.py").write_text(text)
        return name

    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield write
    sys.modules.pop(name, None)


def test_a_module_beside_the_job_file_is_found(site, module):
    name = module("def work(row):\n    return {'Result': 'from the file'}\n")
    assert run_with(site, f"{name}:work").rows.done == 6


@pytest.mark.parametrize(
    ("text", "attribute", "said"),
    [
        ("def wrk(row): ...\n", "work", "did you mean 'wrk'"),
        ("work = 7\n", "work", "is a int, neither a function nor a Processor class"),
        ("class Work: ...\n", "Work", "not one derived from batchbook.Processor"),
        ("import no_such_thing_at_all\n", "work", "needs 'no_such_thing_at_all', which is not installed"),
        ("x = 1\n1 / 0\n", "work", r"ZeroDivisionError: division by zero at .*\.py:2"),
        ("def work(:\n", "work", r"SyntaxError: .* at .*\.py:1"),
    ],
)
def test_a_processor_that_cannot_be_used_says_why_and_where(site, module, text, attribute, said):
    with pytest.raises(ConfigurationError, match=said):
        run_with(site, f"{module(text)}:{attribute}")
    assert not site.ledger_path.exists()


def test_a_module_that_is_nowhere_names_the_folders_that_were_searched(site):
    with pytest.raises(ConfigurationError, match=str(site.path)):
        run_with(site, "no_such_module_anywhere:work")


def test_a_name_that_is_no_installed_processor_is_said_to_be_neither(site):
    with pytest.raises(ConfigurationError, match="neither module:name nor an installed processor"):
        run_with(site, "no-such-processor")


def test_options_reach_the_class_and_wrong_ones_are_all_named(site):
    site.make_job(Strict, options={"limit": 5})
    site.run()
    assert set(site.results().values()) == {5}
    site.make_job(Strict, options={"limit": "many", "limt": 1})
    with pytest.raises(ConfigurationError) as caught:
        site.run()
    assert sorted(str(finding).split(":")[1].strip() for finding in caught.value.findings) == [
        "options.limit", "options.limt",
    ]  # fmt: skip


def test_a_function_takes_no_options(site):
    site.make_job(options={"limit": 5})
    with pytest.raises(ConfigurationError, match="a function takes none"):
        site.run()


def test_a_class_that_cannot_be_made_says_why(site):
    class Broken(Strict):
        def __init__(self, options, context):
            raise OSError("no route")

    site.make_job(Broken)
    with pytest.raises(ConfigurationError, match="making Broken raised OSError: no route"):
        site.run()
