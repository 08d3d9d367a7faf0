"""A queue as it was asked for."""

from __future__ import annotations

import pytest

from minibroker.arguments import QueueDeclaration


def test_a_declaration_without_more_is_transient_shared_and_without_arguments() -> None:
    declaration = QueueDeclaration("q")
    assert not declaration.durable
    assert not declaration.exclusive
    assert not declaration.auto_delete
    assert declaration.arguments == {}
    assert declaration.vhost == "/"
    assert not declaration.server_named


@pytest.mark.semantics(33)
def test_a_durable_queue_that_is_exclusive_does_not_outlive_the_broker() -> None:
    assert QueueDeclaration("q", durable=True).lasting
    assert not QueueDeclaration("q", durable=True, exclusive=True).lasting
    assert not QueueDeclaration("q").lasting


def test_a_declaration_is_called_what_errors_call_it() -> None:
    assert str(QueueDeclaration("jobs", vhost="v")) == "queue 'jobs' in vhost 'v'"
