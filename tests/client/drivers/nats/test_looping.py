from __future__ import annotations

import asyncio
import gc
import signal
import threading

import pytest

from minibroker_client.drivers.nats.looping import LoopEndedError, Looping


async def ident() -> int:
    return threading.get_ident()


def test_a_coroutine_runs_in_the_loops_thread() -> None:
    looping = Looping()
    assert looping.call(ident()) not in {threading.get_ident(), looping.call(asyncio.sleep(0))}
    looping.close()


def test_the_error_of_a_coroutine_is_the_callers() -> None:
    async def fail() -> None:
        raise ValueError("no")

    looping = Looping()
    with pytest.raises(ValueError, match="no"):
        looping.call(fail())
    looping.close()


def test_a_closed_loop_takes_nothing_and_may_be_closed_again() -> None:
    looping = Looping()
    looping.close()
    looping.close()
    with pytest.raises(LoopEndedError, match="closed"):
        looping.call(ident())


def test_what_waits_while_the_loop_is_closed_is_told() -> None:
    looping = Looping()
    begun = threading.Event()
    errors: list[Exception] = []

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    def call() -> None:
        try:
            looping.call(wait())
        except LoopEndedError as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    assert begun.wait(10)
    looping.close()
    thread.join(10)
    assert [str(error) for error in errors] == ["the connection was closed meanwhile"]


def test_a_wait_that_is_broken_off_cancels_its_coroutine() -> None:
    looping = Looping()
    ended = threading.Event()
    main = threading.get_ident()

    class Interruption(BaseException):
        pass

    def interrupt(*_: object) -> None:
        raise Interruption

    async def wait() -> None:
        try:
            signal.pthread_kill(main, signal.SIGUSR1)
            await asyncio.Event().wait()
        finally:
            ended.set()

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(Interruption):
            looping.call(wait())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ended.wait(10)
    looping.close()


def test_a_forgotten_loop_ends_its_thread() -> None:
    looping = Looping()
    thread = next(each for each in threading.enumerate() if each.ident == looping.call(ident()))
    del looping
    gc.collect()
    thread.join(10)
    assert not thread.is_alive()
