"""A directory that version 1 of the format wrote, which knew no passwords, and was never closed."""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

from minibroker import Broker, ManualClock

OLDER = Path(__file__).parent / "version_1"
"""Its files, in base64."""


def test_a_directory_of_version_1_opens_and_is_carried_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for each in OLDER.iterdir():
        (data / each.stem).write_bytes(b64decode(each.read_bytes()))
    for password in (None, "secret"):
        with Broker(data=data, clock=ManualClock(), segment_size=4096) as broker:
            user = broker.users.get("ann")
            assert (set(user.tags), user.connections) == ({"administrator"}, 7)
            assert set(user.permissions) == {"/", "mine"}
            assert broker.users.verify("ann", b"secret") == (password is not None)
            channel = broker.connect(user="ann").channel()
            bodies = []
            while got := channel.get("q"):
                bodies.append(got.entry.message.body)
            assert bodies == [b"body 1", b"body 2", b"body 3", b"body 4", b"after"]
            assert channel.declare_queue("s", passive=True).message_count == 1
            broker.change_password("ann", "secret")


def test_what_is_said_of_users_outlives_the_broker(tmp_path: Path) -> None:
    with Broker(data=tmp_path, clock=ManualClock()) as broker:
        for name in ("ann", "bob", "cid"):
            broker.add_user(name, password=name)
            broker.set_permissions(name)
        broker.delete_user("bob")
        broker.clear_permissions("cid")
        broker.change_password("cid", None)
    for _ in range(2):  # from the log and its checkpoint, then from a checkpoint alone
        with Broker(data=tmp_path, clock=ManualClock()) as broker:
            assert set(broker.users.by_name) == {"ann", "cid"}
            assert broker.users.verify("ann", b"ann")
            assert broker.users.get("cid").password is None
            assert broker.users.get("cid").permissions == {}
