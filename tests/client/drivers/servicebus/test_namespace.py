from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from minibroker_client.drivers.servicebus import ServiceBusDriver, namespace
from minibroker_client.remote.driver import DriverError, QueueInfo
from minibroker_client.transport.base import Address

from .conftest import put

if TYPE_CHECKING:
    from .conftest import Place


class Management:
    """What the HTTP interface does, which neither the stand-in nor an emulator has."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.queues: dict[str, Any] = {}
        self.closed = False

    def create_queue(self, name: str, **options: Any) -> None:
        if self.error is not None:
            raise self.error
        if name in self.queues:
            raise pytest.importorskip("azure.core.exceptions").ResourceExistsError(name)
        self.queues[name] = options

    def delete_queue(self, name: str) -> None:
        if self.error is not None:
            raise self.error
        if name not in self.queues:
            raise pytest.importorskip("azure.core.exceptions").ResourceNotFoundError(name)
        del self.queues[name]

    def get_queue_runtime_properties(self, name: str) -> Any:
        assert name in self.queues
        return SimpleNamespace(active_message_count=7)

    def close(self) -> None:
        self.closed = True


def test_queues_are_made_and_deleted_where_that_is_allowed(
    driver: ServiceBusDriver, place: Place
) -> None:
    management = driver.namespace.admin = Management()
    driver.declare(QueueInfo("q", {}))
    driver.declare(QueueInfo("q", {}))
    options = management.queues[place.name("q")]
    assert (options["lock_duration"].total_seconds(), options["max_delivery_count"]) == (5, 2000)
    assert driver.size("q") == 7
    driver.delete("q")
    driver.delete("q")
    assert management.queues == {}
    driver.close()
    assert management.closed


@pytest.mark.parametrize(("status", "goes_on"), [(401, True), (403, True), (500, False)])
def test_who_may_not_manage_uses_the_queues_that_are_there(
    driver: ServiceBusDriver, status: int, goes_on: bool
) -> None:
    core = pytest.importorskip("azure.core.exceptions")
    error = core.HttpResponseError("no")
    error.status_code = status
    driver.namespace.admin = Management(error)
    if goes_on:
        driver.declare(QueueInfo("q", {}))
        assert driver.namespace.admin is None
    else:
        with pytest.raises(DriverError, match="no"):
            driver.declare(QueueInfo("q", {}))


def test_what_else_fails_in_management_ends_the_connection(driver: ServiceBusDriver) -> None:
    core = pytest.importorskip("azure.core.exceptions")
    driver.namespace.admin = Management(core.ServiceRequestError("unreachable"))
    with pytest.raises(DriverError, match="unreachable"):
        driver.declare(QueueInfo("q", {}))
    with pytest.raises(DriverError, match="unreachable"):
        driver.delete("q")


def test_two_queues_that_differ_in_case_alone_are_not_mixed(driver: ServiceBusDriver) -> None:
    driver.declare(QueueInfo("Orders", {}))
    driver.declare(QueueInfo("Orders", {}))
    with pytest.raises(DriverError, match="'orders' for 'Orders'"):
        driver.declare(QueueInfo("orders", {}))
    driver.delete("Orders")
    driver.declare(QueueInfo("orders", {}))


def test_links_that_are_not_used_are_closed(
    driver: ServiceBusDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(driver, b"1", queue="a")
    sender = driver.namespace.sender("a")
    monkeypatch.setattr(namespace, "UNUSED", -1)
    put(driver, b"1", queue="b")
    assert sender._end is None
    put(driver, b"2", queue="a")


def test_management_is_used_of_a_real_namespace_only() -> None:
    address = Address("azureservicebus", "name.servicebus.windows.net", None, "policy", "a2V5")
    made = namespace.Namespace(address, "p-", True, 30)
    assert made.admin is not None
    assert made.name("q") == "p-q"
    made.close()
    assert namespace.Namespace(address, "", False, 30).admin is None


def test_the_default_credential_needs_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    address = Address(
        "azureservicebus", "name.servicebus.windows.net", userid="DefaultAzureCredential"
    )
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(ImportError, match=r"minibroker\[azure\]"):
        ServiceBusDriver(address)
    credential = SimpleNamespace(DefaultAzureCredential=lambda: SimpleNamespace(get_token=None))
    monkeypatch.setitem(sys.modules, "azure.identity", credential)
    made = namespace.Namespace(address, "", True, 30)
    assert made.admin is not None
    made.close()


def test_a_url_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="azureservicebus://"):
        namespace.Namespace(Address("azureservicebus", "host"), "", True, 30)
