"""A worker that does its work itself: a task's limits hold in it as they do in a process of its own."""

import subprocess
import sys
from textwrap import dedent

import pytest

from tests.support.configuration import WEBHOOK_SECRET
from tests.support.databases import ROOT

ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "DATABASE_URL": "postgresql://payproc@localhost/payproc",
    "BROKER_URL": "redis://127.0.0.1:9/0",
    "SECRET_KEY": "0123456789abcdef",
    "STRIPE_SECRET_KEY": "sk_test_payproc",
    "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
}
BEGINNING = """
import ctypes, signal, time
from celery.worker import state
from tasks.alone import TaskPool
from tasks.time_limit import TimeLimitReached

def run(pool, task, **limits):
    limits = {"soft_timeout": 30, "timeout": 60} | limits
    pool.apply_async(task, accept_callback=lambda *_: None, callback=print, **limits)

def waiting():
    try:
        time.sleep(60)
    except TimeLimitReached:
        return "interrupted"
"""


def outcome(program: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end in a process of its own, which it may not survive."""
    return subprocess.run(
        [sys.executable, "-c", BEGINNING + dedent(program)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_a_task_is_interrupted_and_the_next_one_runs() -> None:
    done = outcome("""
        pool = TaskPool(1)
        run(pool, waiting, soft_timeout=0.2)
        run(pool, lambda: "another")
    """)
    assert (done.returncode, done.stdout.split()) == (0, ["interrupted", "another"])


@pytest.mark.parametrize(
    "hang",
    [
        # Python's lock is never let go of, and nothing wakes it: no code of ours gets a turn.
        "signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM}); ctypes.PyDLL(None).sleep(60)",
        # It takes the interruption for something else.
        "any(waiting() is None for _ in iter(int, 1))",
    ],
)
def test_a_task_that_does_not_end_ends_with_its_process_which_says_where_it_was(hang: str) -> None:
    done = outcome(f"""
        def hanging():
            {hang}
        run(TaskPool(1), hanging, soft_timeout=0.2, timeout=0.6)
        print("outlived")
    """)
    assert (done.returncode, done.stdout) == (1, "")
    assert "in hanging" in done.stderr


def test_no_limit_outlives_its_task() -> None:
    done = outcome("""
        run(TaskPool(1), lambda: "done", soft_timeout=0.1, timeout=0.2)
        time.sleep(0.4)
        print("outlived")
    """)
    assert (done.returncode, done.stdout.split()) == (0, ["done", "outlived"])


def test_after_so_many_tasks_it_fetches_no_more() -> None:
    done = outcome("""
        pool = TaskPool(1, maxtasksperchild=2)
        for _ in range(2):
            run(pool, lambda: state.should_stop)
        print(state.should_stop)
    """)
    assert (done.returncode, done.stdout.split()) == (0, ["None", "None", "0"])


def test_an_operator_who_asks_what_it_does_interrupts_nothing() -> None:
    done = outcome("""
        from celery.signals import task_prerun
        pool = TaskPool(1)
        before = signal.getsignal(signal.SIGUSR1)
        task_prerun.send(sender=None)
        print(signal.getsignal(signal.SIGUSR1) is before)
    """)
    assert (done.returncode, done.stdout.split()) == (0, ["True"])
