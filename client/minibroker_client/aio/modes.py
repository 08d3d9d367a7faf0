"""The rest of an awaited channel: transactions, and taking everything unacked back."""

from __future__ import annotations

from typing import Any

__all__ = ["Modes"]


class Modes:
    """What is rarely called."""

    transactional: bool

    async def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the transport's channel."""
        raise NotImplementedError

    async def recover(self, requeue: bool = True) -> None:
        """Put all unacked deliveries of the channel back in their places."""
        await self.call("recover", requeue)

    async def tx_select(self) -> None:
        """Put the channel in transaction mode; it must have been opened without `confirm`."""
        await self.call("tx_select")
        self.transactional = True

    async def tx_commit(self) -> None:
        """Publish and settle what was held since the last commit."""
        await self.call("tx_commit")

    async def tx_rollback(self) -> None:
        """Forget what was held since the last commit."""
        await self.call("tx_rollback")
