"""What has to be measured in a process of its own: `python log_child.py WHAT DIRECTORY [NUMBER]`.

Prints one JSON object. Importing is over before anything is timed. Linux alone: memory is what
/proc says.
"""

from __future__ import annotations

import json
import os
import sys
import time
import zlib
from pathlib import Path

from minibroker import Broker, Properties
from minibroker.events import Confirmed

KIBIBYTE = 1024
OUTSTANDING = 1000
ONE_SEGMENT = 1 << 31
"""The largest segment: as long as it is not full, there is no checkpoint."""
PERSISTENT = Properties(delivery_mode=2)


def resident(field: str) -> int:
    """Bytes of memory now (`VmRSS`), or at the most so far (`VmHWM`)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * KIBIBYTE
    raise LookupError(field)


def fill(directory: str, number: int) -> dict[str, float]:
    """Publish so many of 1 KiB, confirmed and up to 1,000 outstanding, and close.

    `growth` is the most memory that the process ever had until all were queued, over what it had
    after the first hundred.
    """
    with Broker(data=directory) as broker:
        connection = broker.connect()
        channel = connection.channel()
        channel.declare_queue("q", durable=True)
        channel.confirm_select()
        confirmed, before, start = 0, 0, time.perf_counter()
        for index in range(1, number + 1):
            channel.publish("", "q", b"%0*d" % (KIBIBYTE, index), PERSISTENT)
            most = 1 if index <= 100 else OUTSTANDING
            while index - confirmed >= most or (index == number and confirmed < number):
                event = connection.drain(60)
                assert isinstance(event, Confirmed), event
                assert event.ok, event
                confirmed = event.tag
            if index == 100:
                before = resident("VmRSS")
        seconds = time.perf_counter() - start
        return {"growth": resident("VmHWM") - before, "seconds": seconds}


def reopen(directory: str, number: int) -> dict[str, float]:
    """Open, consume with a prefetch of 100, and take the first delivery; then close."""
    start = time.perf_counter()
    with Broker(data=directory) as broker:
        connection = broker.connect()
        channel = connection.channel()
        channel.qos(100)
        channel.consume("q")
        connection.drain(60)
        seconds = time.perf_counter() - start
        left = channel.declare_queue("q", passive=True).message_count
        assert left == number - min(number, 100), left
        return {"seconds": seconds}


def kill(directory: str, number: int) -> dict[str, float]:
    """Publish so many of 100 bytes, and let the process end without closing anything."""
    broker = Broker(data=directory, fsync="never", segment_size=ONE_SEGMENT)
    channel = broker.connect().channel()
    channel.declare_queue("q", durable=True)
    for index in range(number):
        channel.publish("", "q", b"%0100d" % index, PERSISTENT)
    broker.sync()
    return {}


def recover(directory: str, number: int) -> dict[str, float]:
    """Read all files for nothing but their checksum, then open them; nothing is closed."""
    start = time.perf_counter()
    for path in Path(directory).iterdir():
        checksum = 0
        with path.open("rb", buffering=0) as file:
            while data := file.read(1 << 20):
                checksum = zlib.crc32(data, checksum)
    middle = time.perf_counter()
    broker = Broker(data=directory, segment_size=ONE_SEGMENT)
    end = time.perf_counter()
    channel = broker.connect().channel()
    there = channel.declare_queue("q", passive=True).message_count
    assert there == number, there
    return {"checksum": middle - start, "open": end - middle}


def main(what: str, directory: str, number: str) -> None:
    result = {"fill": fill, "reopen": reopen, "kill": kill, "recover": recover}[what](
        directory, int(number)
    )
    sys.stdout.write(json.dumps(result))
    sys.stdout.flush()
    os._exit(0)  # what was left open stays as it is


if __name__ == "__main__":
    main(*sys.argv[1:])
