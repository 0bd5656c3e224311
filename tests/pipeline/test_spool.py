"""The spool on a real disk: what it keeps, what it gives up, whom it trusts."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from bear_otel.pipeline import spool as module
from bear_otel.pipeline import spool_files
from bear_otel.pipeline.losses import Losses
from bear_otel.pipeline.spool import Spool, SpoolOptions
from tests.pipeline.running import run_script

ENDPOINT = "http://collector:4318/v1/traces"
HOUR = 3600.0


class Clock:
    """The clocks of a process, in the hands of a test."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.since_boot = 5000.0

    def time(self) -> float:
        return self.now

    def time_ns(self) -> int:
        return int(self.now * 1e9)

    def monotonic(self) -> float:
        return self.since_boot

    def pass_by(self, seconds: float) -> None:
        """Let time pass, without a jump."""
        self.now += seconds
        self.since_boot += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clocks that the spool looks at."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(spool_files, "time", clock)
    return clock


def create_spool(
    directory: Path,
    *,
    losses: Losses | None = None,
    endpoint: str = ENDPOINT,
    max_bytes: int = 10_000_000,
    service: str = "shop",
    signal: Any = "traces",
) -> Spool:
    """Return a spool with a cap of two days."""
    options = SpoolOptions(
        directory=directory, max_bytes=max_bytes, max_age_seconds=48 * HOUR, service=service
    )
    return Spool(options, signal=signal, endpoint=endpoint, losses=losses or Losses())


def drain(spool: Spool) -> list[bytes]:
    """Return and remove all that waits, in the order in which it would be sent."""
    bodies = []
    while (taken := spool.take_oldest()) is not None:
        bodies.append(taken[1])
        spool.remove(taken[0])
    return bodies


def list_files(spool: Spool) -> list[str]:
    """Return the names of its files."""
    return sorted(os.listdir(spool.path)) if spool.path.exists() else []


def test_what_is_appended_comes_out_oldest_first_and_once(tmp_path: Path) -> None:
    """The plain case; nothing is left on disk afterwards."""
    spool = create_spool(tmp_path / "spool")
    for number in range(5):
        assert spool.append(b"body %d" % number, items=number)
    assert drain(spool) == [b"body %d" % number for number in range(5)]
    assert list_files(spool) == []


def test_a_healthy_process_touches_no_disk(tmp_path: Path) -> None:
    """Looking whether something waits creates nothing."""
    spool = create_spool(tmp_path / "spool")
    assert (spool.take_oldest(), spool.is_waiting()) == (None, False)
    assert list(tmp_path.iterdir()) == []


def test_the_next_process_finds_what_this_one_left(tmp_path: Path) -> None:
    """Restart: in the order of creation, with the number of items."""
    create_spool(tmp_path).append(b"first", items=1)
    create_spool(tmp_path).append(b"second", items=2)
    spool = create_spool(tmp_path)
    taken = spool.take_oldest()
    assert taken is not None
    assert (taken[0].entry.items, taken[1]) == (1, b"first")
    spool.put_back(taken[0])
    assert drain(spool) == [b"first", b"second"]


def test_what_is_being_sent_is_nobody_elses(tmp_path: Path) -> None:
    """Workers share a folder, and each body is sent by one of them; a failed one is free again."""
    one, other = create_spool(tmp_path), create_spool(tmp_path)
    one.append(b"first", items=1)
    one.append(b"second", items=1)
    mine = one.take_oldest()
    assert mine is not None
    theirs = other.take_oldest()
    assert theirs is not None
    assert (mine[1], theirs[1]) == (b"first", b"second")
    one.put_back(mine[0])
    other.put_back(theirs[0])
    assert drain(one) == [b"first", b"second"]
    assert drain(other) == []


@pytest.mark.parametrize(
    ("treat", "order"),
    [
        (lambda spool, lease: spool.put_back(lease), [b"0", b"1", b"2"]),
        (lambda spool, lease: spool.put_back(lease, last=True), [b"1", b"2", b"0"]),
        (lambda spool, lease: spool.set_aside(lease), [b"1", b"2"]),
    ],
    ids=["put back", "put back as the last", "set aside"],
)
def test_what_failed_waits_where_it_is_put(tmp_path: Path, treat: Any, order: list[bytes]) -> None:
    """What is set aside is found by the next look, and so is all by the next process."""
    spool = create_spool(tmp_path)
    for number in range(3):
        spool.append(b"%d" % number, items=1)
    taken = spool.take_oldest()
    assert taken is not None
    treat(spool, taken[0])
    assert drain(spool) == order
    assert drain(create_spool(tmp_path)) == [b"0"] * (3 - len(order))


def test_the_order_can_be_restored(tmp_path: Path) -> None:
    """After an outage the oldest is the next one, whatever has been asked with."""
    spool = create_spool(tmp_path)
    for number in range(3):
        spool.append(b"%d" % number, items=1)
    taken = spool.take_oldest()
    assert taken is not None
    spool.put_back(taken[0], last=True)
    spool.restore_order()
    assert drain(spool) == [b"0", b"1", b"2"]


def test_it_is_the_oldest_that_give_way_whatever_the_order(tmp_path: Path) -> None:
    """Also if they were the last to be asked with."""
    spool = create_spool(tmp_path, max_bytes=100_000)
    for number in range(24):
        spool.append(b"%02d" % number, items=1)
    taken = spool.take_oldest()
    assert taken is not None
    spool.put_back(taken[0], last=True)
    spool.append(b"24", items=1)
    assert drain(spool) == [b"%02d" % number for number in range(1, 25)]


def test_a_lease_ends_with_its_process_and_no_child_prolongs_it(tmp_path: Path) -> None:
    """A killed owner's body is free at once, even if a forked child of it lives on."""
    script = f"""
        import os, signal, sys
        sys.path.insert(0, {str(Path.cwd())!r})
        from pathlib import Path
        from tests.pipeline.test_spool import create_spool, drain

        spool = create_spool(Path({str(tmp_path)!r}))
        spool.append(b"body", items=1)
        ready, told = os.pipe()
        pid = os.fork()
        if pid == 0:
            assert spool.take_oldest() is not None
            if os.fork() == 0:
                os.write(told, str(os.getpid()).encode())
                os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
        os.waitpid(pid, 0)
        child = int(os.read(ready, 20))
        os.kill(child, 0)
        print(drain(create_spool(Path({str(tmp_path)!r}))))
        os.kill(child, signal.SIGKILL)
    """
    assert run_script(script) == "[b'body']\n"


def test_a_child_has_none_of_its_parents_leases(tmp_path: Path) -> None:
    """The parent goes on sending; the child takes something else, and its end frees nothing."""
    spool = create_spool(tmp_path)
    spool.append(b"first", items=1)
    spool.append(b"second", items=1)
    taken = spool.take_oldest()
    assert taken is not None
    if (pid := os.fork()) == 0:
        found = spool.take_oldest()
        os._exit(0 if found is not None and found[1] == b"second" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert drain(create_spool(tmp_path)) == [b"second"]
    spool.remove(taken[0])
    assert list_files(spool) == []


def test_files_and_folders_are_for_us_alone(tmp_path: Path) -> None:
    """0700 and 0600, whatever the umask."""
    before = os.umask(0)
    try:
        spool = create_spool(tmp_path / "state" / "spool")
        spool.append(b"body", items=1)
    finally:
        os.umask(before)
    (file,) = spool.path.iterdir()
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file, spool.path, spool.path.parent)]
    assert modes == [0o600, 0o700, 0o700]


def make_link(directory: Path) -> None:
    """Put a symbolic link where the directory should be."""
    (directory.parent / "elsewhere").mkdir(mode=0o700)
    directory.symlink_to(directory.parent / "elsewhere")


def make_foreign(directory: Path) -> None:
    """Give the directory to somebody else."""
    directory.mkdir(mode=0o700)
    os.chown(directory, 12345, -1)


def make_open(directory: Path) -> None:
    """Let everybody write into the directory."""
    directory.mkdir()
    directory.chmod(0o777)


def make_file(directory: Path) -> None:
    """Put a file where the directory should be."""
    directory.touch(mode=0o600)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders away")


@pytest.mark.parametrize("inner", [False, True], ids=["directory", "folder in it"])
@pytest.mark.parametrize(
    ("make", "problem"),
    [
        pytest.param(make_link, "is a symbolic link", id="link"),
        pytest.param(make_foreign, "belongs to another user, 12345", id="owner", marks=needs_root),
        pytest.param(make_open, "is open to others (mode 777)", id="mode"),
        pytest.param(make_file, "is not a folder", id="file"),
    ],
)
def test_a_folder_that_is_not_ours_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, make: Any, problem: str, inner: bool
) -> None:
    """Nothing is written there and nothing is taken from there; it is said once."""
    spool = create_spool(tmp_path / "spool")
    folder = spool.path if inner else spool.path.parent
    if inner:
        spool.path.parent.mkdir(mode=0o700)
    make(folder)
    for _ in range(2):
        assert spool.append(b"body", items=1) is False
    assert create_spool(tmp_path / "spool").take_oldest() is None
    assert list((tmp_path).rglob("*.otlp")) == []
    # The second line is from the second spool, which has a voice of its own.
    assert len(caplog.messages) == 2
    advice = "trying again; name another folder in BEAR_OTEL_SPOOL_DIRECTORY"
    assert set(caplog.messages) <= {
        f"traces: cannot use the spool: {folder} {problem}; {advice}",
        f"traces: cannot use the spool: {folder}: File exists; {advice}",
    }


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[:5],
        lambda content: b"x" + content[1:],
        lambda content: content[:20] + b"x" + content[21:],
        lambda content: content + b"x",
    ],
    ids=["truncated", "truncated header", "magic", "flipped byte", "longer"],
)
def test_a_damaged_file_costs_only_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Any
) -> None:
    """It is counted and deleted, and never sent."""
    losses = Losses()
    spool = create_spool(tmp_path, losses=losses)
    for number in range(3):
        spool.append(b"the body number %d" % number, items=7)
    path = spool.path / list_files(spool)[1]
    path.write_bytes(damage(path.read_bytes()))
    assert drain(spool) == [b"the body number 0", b"the body number 2"]
    assert list_files(spool) == []
    assert losses.counts() == {("traces", "corrupt"): 7}
    assert caplog.messages == [f"traces: a damaged file in the spool {spool.path} is deleted"]


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    """Only names of ours are ever read or deleted."""
    spool = create_spool(tmp_path)
    spool.append(b"body", items=1)
    for name in ("README", ".hidden", "1-1-00000000.otlp.bak", "x-1-00000000.otlp"):
        (spool.path / name).write_text("mine")
    assert drain(create_spool(tmp_path)) == [b"body"]
    assert len(list_files(spool)) == 4


def test_the_oldest_give_way_when_the_cap_is_reached(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The folder never grows beyond the cap; what gives way is counted, and said once."""
    losses = Losses()
    spool = create_spool(tmp_path, losses=losses, max_bytes=100_000)
    for number in range(60):
        assert spool.append(b"%02d" % number + bytes(4000), items=2)
        assert sum(path.stat().st_size for path in spool.path.iterdir()) <= 100_000
    kept = [int(body[:2]) for body in drain(create_spool(tmp_path))]
    assert kept == list(range(60 - len(kept), 60))
    assert len(kept) == 24
    assert losses.counts() == {("traces", "spool_full"): 2 * 36}
    assert caplog.messages == ["traces: the spool has 0.1 MB; the oldest in it give way"]


def test_a_batch_larger_than_the_cap_drives_nothing_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays in memory, and what waits stays on disk."""
    spool = create_spool(tmp_path, max_bytes=100_000)
    assert spool.append(b"small", items=1)
    assert spool.append(bytes(150_000), items=1) is False
    assert drain(spool) == [b"small"]
    problem = "0.152 MB more do not fit into 0.1 MB"
    assert problem in caplog.text


def test_small_files_count_as_the_disk_counts_them(tmp_path: Path) -> None:
    """A cap in bytes bounds the number of files, too."""
    spool = create_spool(tmp_path, max_bytes=100_000)
    for _ in range(100):
        spool.append(b"tiny", items=1)
    assert len(list_files(spool)) == 24


def test_processes_share_the_cap(tmp_path: Path) -> None:
    """Each sees what the others have put in, after the part that it writes without a look."""
    cap, size = 1_000_000, 4096
    workers = [create_spool(tmp_path, max_bytes=cap) for _ in range(3)]
    largest = 0
    for _ in range(2 * cap // size // len(workers)):
        for spool in workers:
            assert spool.append(b"x" * (size // 2), 1)
        largest = max(largest, len(list_files(workers[0])) * size)
    assert 0.99 * cap < largest <= cap * (1 + len(workers) / 256)


def test_what_is_too_old_is_deleted_and_counted(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Also by a later process; what is younger stays."""
    losses = Losses()
    spool = create_spool(tmp_path, losses=losses)
    spool.append(b"old", items=3)
    clock.pass_by(24 * HOUR)
    spool.append(b"young", items=4)
    clock.pass_by(24 * HOUR + 1)
    assert drain(create_spool(tmp_path, losses=losses)) == [b"young"]
    assert losses.counts() == {("traces", "expired"): 3}
    text = "traces: what waited in the spool for more than 48 h is deleted"
    assert caplog.messages == [text]


def test_what_nobody_asks_for_any_more_is_deleted_at_its_age(tmp_path: Path, clock: Clock) -> None:
    """Folders of former endpoints, and files whose writer was killed in the middle."""
    losses = Losses()
    former = create_spool(tmp_path, endpoint="http://former:4318/v1/traces")
    former.append(b"body", items=5)
    spool = create_spool(tmp_path, losses=losses)
    spool.append(b"body", items=1)
    (file,) = spool.path.iterdir()
    file.rename(file.with_name(f".{file.name}"))
    clock.pass_by(24 * HOUR)
    create_spool(tmp_path).take_oldest()
    assert (len(list_files(former)), len(list_files(spool))) == (1, 1)
    clock.pass_by(25 * HOUR)
    assert create_spool(tmp_path, losses=losses).take_oldest() is None
    assert (list_files(former), list_files(spool)) == ([], [])
    assert losses.counts() == {("traces", "expired"): 6}


@pytest.mark.parametrize("jump", [-3000 * 24 * HOUR, 3000 * 24 * HOUR], ids=["back", "forth"])
def test_a_clock_that_jumps_costs_nothing(tmp_path: Path, clock: Clock, jump: float) -> None:
    """Neither what was written before the jump nor what comes after it."""
    losses = Losses()
    spool = create_spool(tmp_path, losses=losses)
    spool.append(b"before", items=1)
    clock.now += jump
    spool.append(b"after", items=1)
    assert sorted(drain(spool)) == [b"after", b"before"]
    assert losses.counts() == {}


def test_a_clock_before_the_epoch_is_no_reason_to_fail(tmp_path: Path, clock: Clock) -> None:
    """A board without a battery."""
    clock.now = -1e6
    spool = create_spool(tmp_path)
    assert spool.append(b"body", items=1)
    assert drain(spool) == [b"body"]


OTHERS = {
    "endpoint": {"endpoint": "http://other:4318/v1/traces"},
    "port": {"endpoint": "http://collector:4319/v1/traces"},
    "path": {"endpoint": "http://collector:4318/tenant/v1/traces"},
    "scheme": {"endpoint": "https://collector:4318/v1/traces"},
    "service": {"service": "bank"},
    "signal": {"signal": "logs"},
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_data_for_one_endpoint_never_goes_to_another(tmp_path: Path, other: Any) -> None:
    """After a change of configuration, and beside a service with a key of its own."""
    create_spool(tmp_path).append(b"body", items=1)
    assert drain(create_spool(tmp_path, **other)) == []
    assert drain(create_spool(tmp_path)) == [b"body"]


def test_a_new_key_for_the_same_endpoint_gets_what_waited(tmp_path: Path) -> None:
    """A key that was refused and mended must not cost what waited; it stands nowhere on disk."""
    first = create_spool(tmp_path, endpoint="http://u:s3cret@collector:4318/v1/traces?key=s3cret")
    first.append(b"body", items=1)
    assert "s3cret" not in str(list(tmp_path.rglob("*")))
    assert drain(create_spool(tmp_path)) == [b"body"]


def test_what_was_delivered_is_not_sent_again_from_a_folder_that_became_read_only(
    tmp_path: Path,
) -> None:
    """The file cannot be deleted, so it is emptied; nothing counts as lost."""
    script = f"""
        import os, sys
        sys.path.insert(0, {str(Path.cwd())!r})
        from pathlib import Path
        from bear_otel.pipeline.losses import Losses
        from tests.pipeline.test_spool import create_spool, list_files

        if os.geteuid() == 0:
            os.chown({str(tmp_path)!r}, 65534, -1)
            os.setresuid(65534, 65534, 65534)
        losses = Losses()
        spool = create_spool(Path("spool"), losses=losses)
        spool.append(b"body", items=1)
        lease, _ = spool.take_oldest()
        spool.path.chmod(0o500)
        spool.remove(lease)
        print(len(list_files(spool)), create_spool(Path("spool")).take_oldest(), losses.counts())
    """
    with_directory = f"import os; os.chdir({str(tmp_path)!r})\n"
    # Another user must be able to come by, through what pytest keeps closed.
    for parent in tmp_path.parents:
        if not parent.stat().st_mode & 0o001:
            parent.chmod(0o755)
    assert run_script(with_directory + _dedent(script)) == "1 None {}\n"


def _dedent(script: str) -> str:
    return "\n".join(line.removeprefix("        ") for line in script.splitlines())


def test_a_full_disk_is_said_once_and_nothing_half_written_stays(tmp_path: Path) -> None:
    """The limit of file sizes stands for it: the kernel takes a part, then says no."""
    script = f"""
        import logging, resource, sys
        sys.path.insert(0, {str(Path.cwd())!r})
        from pathlib import Path
        from tests.pipeline.test_spool import create_spool, drain, list_files

        logging.basicConfig(stream=sys.stdout, format="%(message)s")
        spool = create_spool(Path({str(tmp_path)!r}))
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, -1))
        print([spool.append(bytes(size), items=1) for size in (100, 10_000, 10_000, 200)])
        print(len(list_files(spool)), [len(body) for body in drain(spool)])
    """
    assert run_script(script).splitlines() == [
        (
            f"traces: cannot use the spool: {tmp_path}: File too large; trying again; "
            "name another folder in BEAR_OTEL_SPOOL_DIRECTORY"
        ),
        "[True, False, False, True]",
        "2 [100, 200]",
    ]


def test_looking_is_rare(tmp_path: Path, clock: Clock) -> None:
    """What another process leaves is found within a minute, and not by looking all the time."""
    spool = create_spool(tmp_path)
    assert spool.take_oldest() is None
    create_spool(tmp_path).append(b"body", items=1)
    clock.pass_by(59)
    assert spool.take_oldest() is None
    clock.pass_by(2)
    assert drain(spool) == [b"body"]
