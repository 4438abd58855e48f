from __future__ import annotations

import errno
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from batchbook.errors import UsageError, WorkbookError, WorkbookInUse, WorkbookMissing
from batchbook.storage import files, hosts, lockfile
from batchbook.storage import lock as module
from batchbook.storage.lock import LockInfo, WorkbookLock, WorkbookLocked, break_lock, lock_path, read_lock
from batchbook.storage.lockfile import own_info, packed
from batchbook.storage.trouble import LockFailed
from tests.storage.helpers import FaultyOperations, names

SOURCE = Path(module.__file__).parents[2]
WORKER = Path(__file__).with_name("lock_worker.py")
HOLD = """
import sys, time
from pathlib import Path
from batchbook.storage.lock import WorkbookLock
with WorkbookLock(Path(sys.argv[1]), run="run-7", ledger=Path("ledger.db")):
    print("held", flush=True)
    time.sleep(60)
"""
posix = pytest.mark.skipif(os.name == "nt", reason="signals and fork")


def started(*arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    return subprocess.Popen([sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, text=True)


def holder_of(workbook: Path) -> subprocess.Popen[str]:
    process = started("-c", HOLD, str(workbook))
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def lock(workbook: Path, **more) -> WorkbookLock:
    return WorkbookLock(workbook, **{"run": None, "ledger": None, **more})


def leave_behind(workbook: Path, **changes) -> LockInfo:
    """A lock file as another process would have left it."""
    info = replace(own_info("run-1", Path("ledger.db")), **changes)
    lock_path(workbook).write_bytes(packed(info))
    return info


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "is_network_path", lambda _path: True)


@pytest.fixture
def ended() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def without_os_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_fd: int, **_: object) -> bool:
        raise OSError(errno.ENOSYS, "no locks")

    monkeypatch.setattr(lockfile, "lock_descriptor", none)


# --- one holder ------------------------------------------------------------------------------------------------------


def test_the_lock_file_says_who_holds_it_and_is_gone_afterwards(workbook: Path) -> None:
    with lock(workbook, run="run-3", ledger=Path("ledger.db")) as held:
        assert held.held
        assert names(workbook.parent) == {"book.xlsx", ".book.xlsx.batchbook-lock"}
        info = read_lock(workbook)
        assert info is not None
        assert (info.pid, info.run, info.alive) == (os.getpid(), "run-3", True)
        assert info.ledger == str(Path("ledger.db").absolute())
        plain = json.loads(lock_path(workbook).read_bytes())
        assert plain.keys() == {"machine", "boot", "namespace", "pid", "start", "host", "user", "run", "ledger",
                                "since", "command"}  # fmt: skip
        assert plain["since"][-6] in "+-"
        assert str(os.getpid()) in str(info)
    assert not held.held
    assert names(workbook.parent) == {"book.xlsx"}
    assert read_lock(workbook) is None


def test_a_second_one_is_told_who_holds_it(workbook: Path) -> None:
    with lock(workbook, run="run-3"), pytest.raises(WorkbookInUse) as caught:
        lock(workbook).acquire()
    error = caught.value
    assert isinstance(error, WorkbookLocked)
    assert (error.pid, error.host, error.holder.run) == (os.getpid(), hosts.host_name(), "run-3")
    assert error.since[:2] == "20"
    assert error.exit_code == 4
    assert "--wait" in error.advice
    again = pickle.loads(pickle.dumps(error))
    assert again.holder == error.holder
    assert str(again) == str(error)


def test_the_lock_can_be_taken_again_and_again(workbook: Path) -> None:
    held = lock(workbook)
    for _ in range(3):
        with held, pytest.raises(RuntimeError):
            held.acquire()
    held.release()
    assert names(workbook.parent) == {"book.xlsx"}


def test_an_error_under_the_lock_frees_it(workbook: Path) -> None:
    with pytest.raises(ZeroDivisionError), lock(workbook):
        raise ZeroDivisionError
    assert names(workbook.parent) == {"book.xlsx"}


def test_a_workbook_that_is_not_there_yet_can_be_locked(folder: Path) -> None:
    with lock(folder / "output.xlsx"):
        assert names(folder) == {".output.xlsx.batchbook-lock"}
    assert names(folder) == set()


def test_a_link_and_its_target_have_one_lock(workbook: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.xlsx"
    link.symlink_to(workbook)
    with lock(link), pytest.raises(WorkbookLocked):
        lock(workbook).acquire()


def test_the_run_can_be_named_later(workbook: Path) -> None:
    with lock(workbook, run="a-name-that-is-longer") as held:
        held.name_run("run-9")
        info = read_lock(workbook)
        assert info is not None
        assert info.run == "run-9"


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WorkbookMissing, match="no folder"):
        lock(tmp_path / "none" / "book.xlsx").acquire()


@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES, errno.ENOSPC])
@pytest.mark.parametrize("operation", ["create", "write"])
def test_a_folder_that_takes_no_lock_file_is_an_error_with_advice(
    workbook: Path, monkeypatch: pytest.MonkeyPatch, error: int, operation: str
) -> None:
    monkeypatch.setattr(files, "ops", FaultyOperations(1, error, only=operation))
    with pytest.raises(WorkbookError, match="cannot be locked") as caught:
        lock(workbook).acquire()
    assert caught.value.advice
    assert caught.value.exit_code == 1
    assert names(workbook.parent) == {"book.xlsx"}


def test_a_lock_file_that_cannot_be_removed_does_not_stop_anybody(
    workbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = lock(workbook)
    held.acquire()
    with monkeypatch.context() as patch:
        patch.setattr(files, "ops", FaultyOperations(1, errno.EACCES, only="unlink"))
        held.release()
    assert lock_path(workbook).exists()
    with lock(workbook):
        pass
    assert names(workbook.parent) == {"book.xlsx"}


def test_releasing_never_removes_anothers_lock(workbook: Path) -> None:
    held = lock(workbook)
    held.acquire()
    lock_path(workbook).unlink()
    other = lock(workbook)
    other.acquire()
    held.release()
    assert read_lock(workbook) is not None
    with pytest.raises(WorkbookLocked):
        lock(workbook).acquire()
    other.release()
    assert names(workbook.parent) == {"book.xlsx"}


def test_arguments_of_other_programs_are_not_written_down(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/opt/tool.py", "--password", "secret"])
    assert own_info(None, None).command == "tool.py"
    monkeypatch.setattr(sys, "argv", ["/opt/batchbook", "run", "job.yaml"])
    assert own_info(None, None).command == "batchbook run job.yaml"


def test_os_locks_that_fail_are_an_error_with_advice(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_fd: int, **_: object) -> bool:
        raise OSError(errno.EIO, "broken")

    leave_behind(workbook)
    monkeypatch.setattr(lockfile, "lock_descriptor", fail)
    for act in (lock(workbook).acquire, lambda: break_lock(workbook, "reason")):
        with pytest.raises(WorkbookError, match="cannot be used: broken"):
            act()
    lock_path(workbook).unlink()
    with pytest.raises(WorkbookError):
        lock(workbook).acquire()
    assert names(workbook.parent) == {"book.xlsx"}


# --- the dead --------------------------------------------------------------------------------------------------------


@posix
def test_a_killed_holder_is_recognised_at_once(workbook: Path) -> None:
    process = holder_of(workbook)
    with pytest.raises(WorkbookLocked) as caught:
        lock(workbook).acquire()
    assert (caught.value.pid, caught.value.holder.run) == (process.pid, "run-7")
    process.kill()
    process.wait()
    told: list[LockInfo] = []
    with lock(workbook, on_dead=told.append):
        info = read_lock(workbook)
        assert info is not None
        assert info.pid == os.getpid()
    assert [one.pid for one in told] == [process.pid]
    assert told[0].ledger is not None
    assert told[0].ledger.endswith("ledger.db")
    assert names(workbook.parent) == {"book.xlsx"}


def test_the_dead_one_is_settled_before_its_lock_goes(workbook: Path) -> None:
    leave_behind(workbook, pid=2**22 + 5)
    seen = []

    def on_dead(info: LockInfo) -> None:
        found = read_lock(workbook)
        seen.append(found is not None and found.pid == info.pid)
        with pytest.raises(WorkbookLocked):
            lock(workbook).acquire()

    with lock(workbook, on_dead=on_dead):
        assert seen == [True]


def test_a_dead_one_that_cannot_be_settled_keeps_its_lock(workbook: Path) -> None:
    info = leave_behind(workbook, pid=2**22 + 5)

    def fail(_info: LockInfo) -> None:
        raise RuntimeError("not now")

    with pytest.raises(RuntimeError):
        lock(workbook, on_dead=fail).acquire()
    assert read_lock(workbook) == info
    told: list[LockInfo] = []
    with lock(workbook, on_dead=told.append):
        assert told == [info]


@pytest.mark.parametrize("content", [b"", b"{", b"\n[1]\n", b"\n{}\n", b"\xff\xfe\x00", b'\n{"pid": "x"}'])
def test_on_a_local_disk_a_free_lock_is_proof_whatever_the_file_says(workbook: Path, content: bytes) -> None:
    lock_path(workbook).write_bytes(content)
    told: list[LockInfo] = []
    with lock(workbook, on_dead=told.append):
        pass
    assert told == []
    assert names(workbook.parent) == {"book.xlsx"}


@pytest.mark.parametrize("content", [b"", b"{", b"\n{}\n"])
def test_on_a_network_disk_an_unreadable_lock_counts_as_held(workbook: Path, network: None, content: bytes) -> None:
    lock_path(workbook).write_bytes(content)
    with pytest.raises(WorkbookLocked, match="unknown process") as caught:
        lock(workbook).acquire()
    assert "batchbook unlock" in caught.value.advice
    assert lock_path(workbook).read_bytes() == content


def test_on_a_network_disk_a_free_lock_proves_nothing(workbook: Path, network: None) -> None:
    for changes in ({}, {"boot": "other"}, {"namespace": "1"}, {"machine": "m", "boot": "b"}):
        info = leave_behind(workbook, **changes)
        with pytest.raises(WorkbookLocked):
            lock(workbook).acquire()
        assert read_lock(workbook) == info


def test_on_a_network_disk_a_process_that_is_gone_is_proof(workbook: Path, network: None, ended: int) -> None:
    told: list[LockInfo] = []
    for changes in ({"pid": ended}, {"start": 1}):
        leave_behind(workbook, **changes)
        with lock(workbook, on_dead=told.append):
            pass
    assert len(told) == 2
    assert names(workbook.parent) == {"book.xlsx"}


def test_without_os_locks_an_earlier_boot_is_proof_on_a_local_disk(
    workbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_os_locks(monkeypatch)
    leave_behind(workbook, boot="another boot")
    with lock(workbook), pytest.raises(WorkbookLocked):
        lock(workbook).acquire()
    leave_behind(workbook, boot="another boot", machine="another machine")
    with pytest.raises(WorkbookLocked):
        lock(workbook).acquire()


def test_a_live_lock_taken_by_mistake_goes_back(workbook: Path) -> None:
    path = lock_path(workbook)
    leave_behind(workbook)
    judged = os.open(path, os.O_RDONLY)
    path.unlink()
    live = leave_behind(workbook, run="live")
    lockfile.put_away(path, judged)
    os.close(judged)
    assert read_lock(workbook) == live
    assert names(workbook.parent) == {"book.xlsx", path.name}


def test_something_else_in_the_lock_files_place_is_refused(workbook: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    lock_path(workbook).symlink_to(precious)
    with pytest.raises(WorkbookError, match="cannot be locked"):
        lock(workbook).acquire()
    lock_path(workbook).unlink()
    lock_path(workbook).mkdir()
    with pytest.raises(WorkbookError, match="cannot be locked"):
        lock(workbook).acquire()
    assert precious.read_text() == "kept"


@posix
def test_a_forked_child_does_not_keep_a_dead_parents_lock(workbook: Path) -> None:
    script = HOLD.replace('print("held"', 'import os\n    if os.fork() == 0: time.sleep(60)\n    print("held"')
    process = started("-c", script.replace('print("held"', 'print("held", os.getpid()'), str(workbook))
    assert process.stdout is not None
    process.stdout.readline()
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    child = int(children.read_text()) if children.exists() else 0
    process.kill()
    process.wait()
    try:
        with lock(workbook):
            pass
    finally:
        if child:
            os.kill(child, signal.SIGKILL)


@posix
def test_a_number_that_another_process_has_now_does_not_keep_a_lock(workbook: Path, network: None) -> None:
    process = started("-c", "import time; time.sleep(60)")
    try:
        # Alive under the number of the holder, but begun at another time: another process.
        leave_behind(workbook, pid=process.pid, start=12345)
        with lock(workbook):
            pass
        start = hosts.start_ticks(process.pid)
        assert start is not None
        leave_behind(workbook, pid=process.pid, start=start)
        with pytest.raises(WorkbookLocked, match=str(process.pid)):
            lock(workbook).acquire()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("changes", [{"namespace": "1"}, {"machine": "m", "boot": "b", "host": "elsewhere"}])
def test_without_os_locks_nobody_of_another_namespace_or_host_is_taken_for_dead(
    workbook: Path, monkeypatch: pytest.MonkeyPatch, ended: int, changes: dict[str, str]
) -> None:
    without_os_locks(monkeypatch)
    info = leave_behind(workbook, pid=ended, **changes)
    with pytest.raises(WorkbookLocked) as caught:
        lock(workbook).acquire()
    assert "batchbook unlock" in caught.value.advice
    assert info.since in caught.value.what, "since when it is held is said"
    assert read_lock(workbook) == info


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b'\n{"pid": -1}'])
def test_without_os_locks_an_unreadable_lock_counts_as_held_until_it_is_unlocked(
    workbook: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    without_os_locks(monkeypatch)
    lock_path(workbook).write_bytes(content)
    with pytest.raises(WorkbookLocked, match="cannot be read"):
        lock(workbook).acquire()
    assert lock_path(workbook).read_bytes() == content
    assert break_lock(workbook, "the machine was switched off") is not None
    with lock(workbook):
        pass


def test_of_two_that_break_one_lock_at_once_only_one_gets_it(
    workbook: Path, monkeypatch: pytest.MonkeyPatch, ended: int
) -> None:
    # Without OS locks nothing but the rename keeps them apart.
    without_os_locks(monkeypatch)
    leave_behind(workbook, pid=ended)
    first = lock(workbook, run="first")

    def overtaken(_info: LockInfo) -> None:
        # The slow one has judged the holder dead; a quick one takes the lock over in between.
        if not first.held:
            first.acquire()

    with pytest.raises(WorkbookLocked) as caught:
        lock(workbook, run="slow", on_dead=overtaken).acquire()
    assert caught.value.holder.run == "first"
    info = read_lock(workbook)
    assert info is not None
    assert info.run == "first", "the lock of the quick one was put back"
    first.release()
    assert names(workbook.parent) == {"book.xlsx"}


def test_without_os_locks_a_lock_that_is_taken_away_at_once_is_not_held(
    workbook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_os_locks(monkeypatch)
    taken = []

    def third_one(_seconds: float) -> None:
        # While the new holder waits, a slow breaker takes its file away and a third one makes a new one.
        if not taken:
            lock_path(workbook).unlink()
            taken.append(leave_behind(workbook, run="third"))

    monkeypatch.setattr(module.time, "sleep", third_one)
    slow = lock(workbook)
    with pytest.raises(WorkbookLocked) as caught:
        slow.acquire()
    assert caught.value.holder.run == "third"
    assert not slow.held
    assert read_lock(workbook) == taken[0]


def test_many_that_break_one_lock_at_once_get_it_one_after_the_other(folder: Path, ended: int) -> None:
    workbook = folder / "book.xlsx"
    for _ in range(2):
        leave_behind(workbook, pid=ended)
        counted, logged, dead = contend(folder, workers=6, rounds=1, chance=0)
        assert counted == logged == 6
        assert dead == [str(ended)], "the dead one was settled once"


UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run([*UNSHARE, "true"], capture_output=True).returncode != 0,
    reason="needs unshare and the right to use it",
)
def test_a_holder_in_a_container_is_seen_from_outside_and_its_death_too(workbook: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    line = [*UNSHARE, sys.executable, "-c", HOLD, str(workbook)]
    outer = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert outer.stdout is not None
        assert outer.stdout.readline() == "held\n"
        info = read_lock(workbook)
        assert info is not None
        assert info.namespace != hosts.pid_namespace()
        assert info.alive is None, "its number means nothing here"
        with pytest.raises(WorkbookLocked):
            lock(workbook).acquire()
        with pytest.raises(WorkbookLocked):
            break_lock(workbook, "I see no such process")
    finally:
        outer.kill()
        outer.wait()
    with lock(workbook, wait=10):
        pass


# --- many ------------------------------------------------------------------------------------------------------------


def contend(folder: Path, workers: int, rounds: int, chance: float) -> tuple[int, int, list[str]]:
    workbook = folder / "book.xlsx"
    (folder / "counter").write_text("0")
    (folder / "log").write_text("")
    (folder / "dead").write_text("")
    seed = 0
    running: list[subprocess.Popen[str]] = []
    deaths = 0
    while len(running) < workers or any(process.poll() is None for process in running):
        for process in [p for p in running if p.poll() == -signal.SIGKILL and deaths < 12]:
            running.remove(process)
            deaths += 1
        while len(running) < workers:
            seed += 1
            running.append(
                started(str(WORKER), str(workbook), str(rounds), str(chance if deaths < 8 else 0), str(seed))
            )
        time.sleep(0.01)
    assert {process.returncode for process in running} <= {0, -signal.SIGKILL}
    with lock(workbook):
        pass
    return (
        int((folder / "counter").read_text()),
        len((folder / "log").read_text()),
        (folder / "dead").read_text().split(),
    )


@posix
def test_processes_that_contend_never_overlap_and_lose_no_update(folder: Path) -> None:
    counted, logged, dead = contend(folder, workers=4, rounds=75, chance=0)
    assert counted == logged == 300
    assert dead == []
    assert names(folder) == {"counter", "log", "dead"}


@posix
def test_processes_that_die_with_the_lock_stop_nobody(folder: Path) -> None:
    counted, logged, dead = contend(folder, workers=3, rounds=30, chance=0.03)
    assert counted == logged >= 60
    assert len(dead) == len(set(dead))
    assert not [name for name in names(folder) if "lock" in name]


@posix
def test_waiting_ends_when_the_holder_does(workbook: Path) -> None:
    process = holder_of(workbook)
    killer = subprocess.Popen([sys.executable, "-c", f"import time, os; time.sleep(0.3); os.kill({process.pid}, 9)"])
    with lock(workbook, wait=30):
        assert killer.wait() == 0
    process.wait()


@posix
def test_waiting_can_be_interrupted(workbook: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with lock(workbook):
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                lock(workbook, wait=60).acquire()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert names(workbook.parent) == {"book.xlsx"}


# --- unlock ----------------------------------------------------------------------------------------------------------


def test_a_live_holders_lock_cannot_be_broken(workbook: Path) -> None:
    with lock(workbook), pytest.raises(WorkbookLocked):
        break_lock(workbook, "I want it")
    assert break_lock(workbook, "there is none") is None


def test_breaking_needs_a_reason(workbook: Path) -> None:
    leave_behind(workbook, pid=2**22 + 5)
    with pytest.raises(UsageError):
        break_lock(workbook, "  ")


def test_a_lock_of_another_machine_is_broken_for_a_reason_and_named(
    workbook: Path, network: None, caplog: pytest.LogCaptureFixture
) -> None:
    info = leave_behind(workbook, machine="m", boot="b", host="elsewhere")
    with pytest.raises(WorkbookLocked, match="elsewhere"):
        lock(workbook).acquire()
    assert break_lock(workbook, "its mainboard burnt") == info
    assert "its mainboard burnt" in caplog.text
    assert names(workbook.parent) == {"book.xlsx"}
    with lock(workbook):
        pass


def test_an_unreadable_lock_is_broken_for_a_reason(workbook: Path, network: None) -> None:
    lock_path(workbook).write_bytes(b"")
    found = break_lock(workbook, "power cut")
    assert found is not None
    assert not found.known
    assert names(workbook.parent) == {"book.xlsx"}


def test_a_lock_of_this_machine_on_a_network_disk_is_not_broken_while_its_process_lives(
    workbook: Path, network: None
) -> None:
    leave_behind(workbook)
    with pytest.raises(WorkbookLocked):
        break_lock(workbook, "I think it is dead")


def test_a_lock_file_that_does_not_take_the_runs_name_is_named_trouble(workbook: Path) -> None:
    with lock(workbook, run=None) as held, pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "ops", FaultyOperations(1, errno.ENOSPC, only="write"))
        with pytest.raises(LockFailed, match="No space left"):
            held.name_run("run-9")
    assert not lock_path(workbook).exists()
