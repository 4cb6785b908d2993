"""Controllers and workers that are killed, frozen, cut off and started again: nothing is lost, nothing happens twice.

The numbers are those of the list of faults that the farm promises to survive (docs/explanation/farm.md).
"""

import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from tests.faults.cable import Cable
from tests.faults.farm_site import FarmSite, farm_site

from outspread.controller.values import Outcome
from outspread.errors import InfrastructureError

#: ``make faults`` gives another one each time.
SEED = int(os.environ.get("OUTSPREAD_FAULT_SEED", "1"))


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[FarmSite]:
    print(f"seed {SEED}")
    with farm_site(tmp_path / "farm") as site:
        yield site


def test_f1_a_killed_worker_loses_its_jobs_at_once_and_leaves_no_process(farm: FarmSite) -> None:
    farm.start_controller()
    ann = farm.start_worker("ann")
    farm.submit("sleep 60 & sleep 60 & wait", "true")
    farm.wait_until(lambda: farm.running(0), "a running job")
    killed_at = time.monotonic()
    os.kill(ann.pid, signal.SIGKILL)
    bob = farm.start_worker("bob")
    farm.wait_until(lambda: (farm.running(0) or farm.job(0).attempts[0]).attempt == 2, "the second attempt", within_s=5)
    assert time.monotonic() - killed_at < 6  # of which 2 s are the controller's, the rest a worker's start
    first, second = farm.job(0).attempts
    assert (first.outcome, first.worker, second.worker) == (Outcome.INFRA, "ann", "bob")
    farm.wait_until(lambda: not [words for words in farm.processes() if "ann" in words], "an end of ann's", within_s=5)
    farm.cancel()
    counts = farm.wait_for_end().counts
    assert (counts.cancelled, counts.passed) in {(1, 1), (2, 0)}
    assert bob.poll() is None


def test_f6_a_controller_told_to_stop_does_so_within_5_s_and_workers_deliver_later(farm: FarmSite) -> None:
    farm.lease_s = 30.0  # no start of a controller takes as long
    controller = farm.start_controller()
    farm.start_worker("ann", slots=2)
    farm.submit("sleep 3; echo late", *["sleep 0.3"] * 20)
    farm.wait_until(lambda: farm.status().counts.passed >= 2, "work under way")
    controller.terminate()
    begun = time.monotonic()
    controller.wait(10)
    assert time.monotonic() - begun < 5
    time.sleep(1)  # the worker works on meanwhile
    farm.start_controller()
    status = farm.wait_for_end()
    assert (status.counts.passed, status.counts.infra) == (21, 0)
    assert all(len(farm.job(number).attempts) == 1 for number in range(21)), "no attempt is lost"
    assert farm.log_of("run.0.1") == b"late\n"


def test_f7_a_frozen_worker_comes_back_to_nothing(farm: FarmSite) -> None:
    farm.start_controller()
    ann = farm.start_worker("ann", slots=2)
    farm.submit("sleep 2; echo $$", "sleep 61")
    farm.wait_until(lambda: farm.running(0) and farm.running(1), "two running jobs")
    os.kill(ann.pid, signal.SIGSTOP)
    farm.start_worker("bob", slots=2)
    farm.wait_until(lambda: farm.job(0).outcome, "an end of the first", within_s=30)
    farm.wait_until(lambda: (attempt := farm.running(1)) and attempt.worker == "bob", "the second elsewhere")
    os.kill(ann.pid, signal.SIGCONT)
    farm.wait_until(lambda: farm.is_connected("ann"), "ann again", within_s=15)
    # What ann has of the second is ended; bob's goes on.
    farm.wait_until(
        lambda: len([words for words in farm.processes() if words.startswith("sleep 61")]) == 1, "one copy", within_s=10
    )
    attempt = farm.running(1)
    assert attempt is not None
    assert attempt.worker == "bob"
    farm.cancel()
    status = farm.wait_for_end()
    assert (status.counts.passed, status.counts.cancelled) == (1, 1)
    first, second = farm.job(0).attempts
    assert (first.outcome, first.worker, second.outcome, second.worker) == (Outcome.INFRA, "ann", Outcome.PASSED, "bob")


def test_f11_a_short_partition_is_not_noticed_and_a_long_one_loses_the_lease(farm: FarmSite) -> None:
    farm.start_controller()
    with Cable("127.0.0.1", farm.port) as cable:
        farm.start_worker("ann", url=f"http://{cable.spread_address}")
        farm.submit("sleep 2", "sleep 60; echo twice >> $HOME/never")
        farm.wait_until(lambda: farm.running(0), "a running job")
        cable.freeze()
        time.sleep(1)
        cable.thaw()
        farm.wait_until(lambda: farm.job(0).outcome, "its end")
        assert len(farm.job(0).attempts) == 1
        farm.wait_until(lambda: farm.running(1), "the second job")
        cable.freeze()
        # By its own clock the worker ends what it may not go on with.
        farm.wait_until(
            lambda: not [words for words in farm.processes() if words.startswith("sleep 60")], "an end of it", within_s=10
        )
        farm.wait_until(lambda: farm.running(1) is None, "the lease's end", within_s=10)
        cable.thaw()
        farm.wait_until(lambda: (farm.running(1) or farm.job(1).attempts[0]).attempt == 2, "another attempt", within_s=20)
        farm.cancel()
        farm.wait_for_end()


def test_f3_a_controller_that_is_killed_again_and_again_loses_nothing(farm: FarmSite) -> None:
    dice = random.Random(SEED)
    farm.start_controller()
    farm.start_worker("ann", slots=2)
    farm.submit(*[f"echo {number}; exit {int(number % 5 == 0)}" for number in range(400)], retries=1)
    for _ in range(4):
        time.sleep(dice.uniform(0.05, 0.6))
        farm.restart_controller()
    status = farm.wait_for_end(within_s=60)
    assert (status.counts.passed, status.counts.failed) == (320, 80)
    assert farm.log_of("run.7.1") in {b"7\n", b""}
    decided = [attempt for attempt in farm.job(7).attempts if attempt.decides]
    assert farm.log_of(decided[0].attempt_id) == b"7\n"


def test_f12_a_submission_that_is_repeated_through_a_crash_is_one_run(farm: FarmSite) -> None:
    farm.start_controller()
    farm.submit("true")
    farm.restart_controller()
    farm.submit("true")
    farm.start_worker("ann")
    assert farm.wait_for_end().counts.total == 1


def test_f19_a_full_disk_is_told_and_work_goes_on_when_there_is_room(farm: FarmSite) -> None:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    farm.state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2M", "outspread-test", farm.state], check=True)
    try:
        farm.start_controller()
        farm.start_worker("ann")
        farm.submit("true")
        farm.wait_for_end()
        farm.submit("sleep 6", "true", run_id="waits")
        farm.wait_until(lambda: farm.running(0, "waits"), "a running job")
        filler = farm.state / "filler"
        subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=4096"], stderr=subprocess.DEVNULL, check=False)
        with pytest.raises(InfrastructureError, match=r"(?i)full|no space"):
            farm.submit(*["true"] * 300, run_id="second")
        assert "while the record cannot be written" in farm.job(1, "waits").waiting
        filler.unlink()

        def is_accepted() -> bool:
            try:
                return bool(farm.submit("true", run_id="third"))
            except InfrastructureError:
                return False

        farm.wait_until(is_accepted, "room again", within_s=20)
        assert farm.wait_for_end("third").counts.passed == 1
        assert farm.wait_for_end("waits").counts.passed == 2
        farm.check()
    finally:
        subprocess.run(["umount", "-l", farm.state], check=True)


def test_f24_a_damaged_database_is_refused_loudly(farm: FarmSite) -> None:
    farm.start_controller()
    farm.submit(*["true"] * 2000)
    assert farm.controller is not None
    farm.controller.terminate()
    farm.controller.wait(10)
    database = farm.state / "state.db"
    with closing(sqlite3.connect(database)) as connection:
        (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'jobs'").fetchone()
    whole = database.read_bytes()
    broken = bytearray(whole)
    broken[(root - 1) * page_bytes : (root - 1) * page_bytes + 64] = bytes(random.Random(SEED).randrange(256) for _ in range(64))
    database.write_bytes(broken)
    with pytest.raises(AssertionError, match="no controller"):
        farm.start_controller()
    assert "malformed" in farm.log() or "damaged" in farm.log()
    database.write_bytes(whole)
    farm.start_controller()
    farm.start_worker("ann", slots=4)
    assert farm.wait_for_end().counts.passed == 2000


def test_a_controller_that_another_has_replaced_ends(farm: FarmSite) -> None:
    controller = farm.start_controller()
    with closing(sqlite3.connect(farm.state / "state.db")) as connection:
        connection.execute("UPDATE cells SET epoch = epoch + 1")
        connection.commit()
    with pytest.raises(InfrastructureError):
        farm.submit("true")
    assert controller.wait(10) == 1
    assert "another controller has taken over" in farm.log()
    assert "Traceback" not in farm.log()
    farm.start_controller()
    farm.start_worker("ann")
    farm.submit("true")
    assert farm.wait_for_end().counts.passed == 1


def test_a_cancel_ends_a_whole_process_tree(farm: FarmSite) -> None:
    farm.start_controller()
    farm.start_worker("ann")
    farm.submit("setsid sh -c 'trap \"\" TERM; sleep 60 & sleep 60' & trap '' TERM; sleep 60; wait")
    farm.wait_until(lambda: len([words for words in farm.processes() if words.startswith("sleep 60")]) == 3, "three sleepers")
    farm.cancel()
    assert farm.wait_for_end(within_s=10).counts.cancelled == 1
    farm.wait_until(lambda: not [words for words in farm.processes() if words.startswith("sleep 60")], "an end", within_s=5)


def test_sigterm_drains_a_worker_and_a_second_one_gives_its_jobs_back(farm: FarmSite) -> None:
    farm.start_controller()
    ann = farm.start_worker("ann", slots=2)
    farm.submit("sleep 1; echo done", "sleep 60", *["true"] * 50)
    farm.wait_until(lambda: farm.running(0) and farm.running(1), "two running jobs")
    ann.terminate()
    farm.wait_until(lambda: farm.job(0).outcome, "the end of what had begun")
    assert ann.poll() is None
    assert farm.status().counts.queued >= 50
    ann.terminate()
    ann.wait(10)
    farm.wait_until(lambda: farm.running(1) is None, "the job given back", within_s=5)
    job = farm.job(1)
    assert job.attempts[0].outcome is Outcome.INFRA
    assert farm.log_of("run.0.1") == b"done\n"
    farm.cancel()
    farm.wait_for_end()
