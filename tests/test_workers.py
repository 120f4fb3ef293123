"""Threads that work side by side, and leave nothing behind."""

import signal
import threading
from time import perf_counter, sleep

import pytest

from skdnn.nn.workers import ALONE, Workers
from tests.threads import PATIENCE


@pytest.mark.parametrize("n_threads", [1, 2, 3, 9])
@pytest.mark.parametrize("n_items", [1, 2, 7])
def test_map(n_threads, n_items):
    """Results come in the order of the arguments, whoever computes them."""
    with Workers(n_threads) as workers:
        for _ in range(20):
            products = workers.map(lambda a, b: a * b, range(n_items), range(n_items))
            assert products == [i * i for i in range(n_items)]


def test_no_thread_is_left():
    """Threads end with the block, and there is none without a block."""
    before = threading.active_count()
    with Workers(3) as workers:
        workers.map(abs, range(5))
    assert workers.map(abs, range(5)) == ALONE.map(abs, range(5)) == [0, 1, 2, 3, 4]
    assert threading.active_count() == before


@pytest.mark.parametrize("wrong", range(4))
def test_errors(wrong):
    """An error comes out, whoever meets it, and the next call is as good as new."""

    def invert(i):
        return 1 / (i - wrong)

    with Workers(2) as workers:
        for _ in range(20):
            with pytest.raises(ZeroDivisionError):
                workers.map(invert, range(4))
        assert workers.map(abs, range(4)) == [0, 1, 2, 3]
        assert not workers.stopped


def test_an_error_ends_a_wait():
    """Whoever waits for a thread that failed, as parts of a step do, hears of it."""
    main, heard = threading.current_thread(), []

    def work(_):
        if threading.current_thread() is not main:
            raise MemoryError
        end = perf_counter() + PATIENCE
        while not workers.stopped and perf_counter() < end:
            sleep(0.001)
        heard.append(bool(workers.stopped))

    with Workers(2) as workers, pytest.raises(MemoryError):
        workers.map(work, range(2))
    assert heard == [True]


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="sends signals")
@pytest.mark.parametrize("who", ["works", "waits"])
def test_interrupt(who):
    """Whether it works or waits, whom Ctrl-C reaches leaves no thread that works."""
    main, begun = threading.current_thread(), threading.Event()
    # Polars, where another test has imported it, puts a handler of its own there that
    # lets whoever waits for a lock wait on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ended = []

    def work(_):
        if threading.current_thread() is main:
            assert begun.wait(PATIENCE)
            if who == "works":
                raise KeyboardInterrupt
            return
        begun.set()
        sleep(0.02)
        end, n_sent = perf_counter() + PATIENCE, 0
        # The second while the main thread deals with the first; more where it has not
        # begun to wait when they come, as it then hears of them only with the next.
        while (not workers.stopped or n_sent == 1) and perf_counter() < end:
            if who == "waits":
                signal.pthread_kill(main.ident, signal.SIGINT)
                n_sent += 1
            sleep(0.05)
        ended.append(True)

    with Workers(2) as workers:
        try:
            workers.map(work, range(2))
        except KeyboardInterrupt:
            assert ended
        else:
            raise AssertionError("nobody was interrupted")
