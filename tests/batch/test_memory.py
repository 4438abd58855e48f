import pytest

from batchbook.batch import memory as module
from batchbook.batch.memory import SystemMemory


@pytest.fixture
def cgroup(tmp_path, monkeypatch):
    """A made-up cgroup tree; gives what writes a group's files."""
    root = tmp_path / "cgroup"
    root.mkdir()
    monkeypatch.setattr(module, "_CGROUP", root)
    monkeypatch.setattr(module, "_SELF", tmp_path / "self")
    monkeypatch.setattr(SystemMemory, "_machine", staticmethod(lambda: None))
    monkeypatch.setattr(SystemMemory, "_own", lambda self: None)

    def write(line, folder=".", **files):
        (tmp_path / "self").write_text(line)
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (root / folder / name.replace("__", ".")).write_text(str(content))

    return write


def test_a_limit_of_version_2_counts_without_the_cache_that_can_be_dropped(cgroup):
    stat = "anon 1\ninactive_file 200\nactive_file 100\n"
    cgroup("0::/a\n", "a", memory__max=1000, memory__current=800, memory__stat=stat)
    assert SystemMemory().pressure() == 0.5


def test_the_tightest_limit_above_counts(cgroup):
    cgroup("0::/a/b\n", "a/b", memory__max="max", memory__current=100)
    cgroup("0::/a/b\n", "a", memory__max=200, memory__current=100)
    assert SystemMemory().pressure() == 0.5


def test_a_limit_of_version_1_counts_and_its_huge_number_is_none(cgroup):
    files = {"memory__usage_in_bytes": 900, "memory__stat": "total_inactive_file 100\ntotal_active_file 0\n"}
    cgroup("5:cpu,memory:/a\n", "memory/a", memory__limit_in_bytes=1000, **files)
    assert SystemMemory().pressure() == 0.8
    cgroup("5:cpu,memory:/a\n", "memory/a", memory__limit_in_bytes=9223372036854771712, **files)
    assert SystemMemory().pressure() is None


def test_in_a_container_that_does_not_see_its_own_path_the_root_counts(cgroup):
    cgroup("0::/docker/abc\n", ".", memory__max=100, memory__current=70)
    assert SystemMemory().pressure() == 0.7


@pytest.mark.parametrize("content", ["", "garbage", "-1"])
def test_figures_that_make_no_sense_are_no_figures(cgroup, content):
    cgroup("0::/a\n", "a", memory__max=1000, memory__current=content)
    assert SystemMemory().pressure() in (None, 0.0)


def test_without_any_figures_there_is_no_pressure_to_tell(cgroup):
    assert SystemMemory().pressure() is None


def test_this_machine_has_a_figure_between_nothing_and_all():
    pressure = SystemMemory().pressure()
    assert pressure is None or 0 < pressure <= 1
