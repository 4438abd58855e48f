import errno
import sys

import pytest
from pydantic import BaseModel, ConfigDict

from batchbook.batch import loader
from batchbook.batch.processors import Processor
from batchbook.errors import ConfigurationError, RunFailed
from tests.batch.helpers import Site


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


# --- which modules ---


@pytest.mark.parametrize(
    "name",
    [
        "{beside}/outside:work",
        "../outside:work",
        "..outside:work",
        ".outside:work",
        "outside.py:work",
        "sub/inside:work",
        "in side:work",
        "out-side:work",
        "outside:work()",
        "outside:",
        ":work",
        "outside:__import__('os').system",
        "file:///outside:work",
    ],
)
def test_a_module_is_named_by_its_dotted_name_and_never_by_a_path(site, name):
    outside = site.path.parent / "outside.py"
    outside.write_text("raise SystemExit('it was run')\n")
    (site.path / "sub").mkdir()
    (site.path / "sub" / "inside.py").write_text("raise SystemExit('it was run')\n")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        run_with(site, name.format(beside=site.path.parent))
    assert not site.ledger_path.exists()


def test_a_module_outside_of_the_jobs_folders_is_not_found(site, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (site.path.parent / "outside_module.py").write_text("raise SystemExit('it was run')\n")
    with pytest.raises(ConfigurationError, match="there is no module 'outside_module'"):
        run_with(site, "outside_module:work")


def test_a_module_in_a_package_beside_the_job_is_found_by_its_dots_and_may_import_its_neighbours(site, module):
    name = module("")
    (site.path / f"{name}.py").unlink()
    (site.path / name).mkdir()
    (site.path / name / "__init__.py").write_text("")
    (site.path / name / "helper.py").write_text("WORD = 'neighbour'\n")
    (site.path / name / "steps.py").write_text(
        "from .helper import WORD\nclass In:\n    @staticmethod\n    def work(row):\n        return {'Result': WORD}\n"
    )
    assert run_with(site, f"{name}.steps:In.work").rows.done == 6
    assert site.results()["K1"] == "neighbour"


def test_two_jobs_of_one_process_each_get_their_own_module_of_the_same_name(tmp_path, module, site):
    name = module("def work(row):\n    return {'Result': 'first'}\n")
    other = Site(tmp_path / "other")
    (other.path / f"{name}.py").write_text("def work(row):\n    return {'Result': 'second'}\n")
    run_with(site, f"{name}:work")
    run_with(other, f"{name}:work")
    run_with(site, f"{name}:work")
    assert (set(site.results().values()), set(other.results().values())) == ({"first"}, {"second"})


@pytest.mark.parametrize(
    ("name", "said"), [("json", "a module of Python's own"), ("openpyxl", "a module that is in use")]
)
def test_a_file_with_the_name_of_another_module_is_refused_and_that_module_stays(site, monkeypatch, name, said):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (site.path / f"{name}.py").write_text("def work(row): ...\n")
    held = sys.modules[name]
    with pytest.raises(ConfigurationError, match=said):
        run_with(site, f"{name}:work")
    assert sys.modules[name] is held


def test_what_stands_in_a_cell_never_names_code_to_run(tmp_path):
    names = ["os:system", "__import__('os').system('x')", "${HOME}", "{row}", "%(name)s", "!!python/object:os.system x"]
    site = Site(tmp_path / "w", [[f"K{n}", name, None, None] for n, name in enumerate(names, 1)])
    site.run()
    assert list(site.results().values()) == [f"{name}!" for name in names]


def test_a_folder_that_the_disk_does_not_give_when_the_processor_is_looked_for_is_named(site, monkeypatch):
    def fails(*_):
        raise OSError(errno.EIO, "Input/output error", str(site.path))

    monkeypatch.setattr(loader.PathFinder, "find_spec", fails)
    with pytest.raises(RunFailed, match=f"Input/output error .{site.path}") as caught:
        site.run()
    assert "Nothing was begun" in caught.value.advice
