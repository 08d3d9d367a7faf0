"""What each method of a channel does: the words of AMQP turned into calls of the model.

Knows neither frames nor rules: the model has those. A handler gets the channel and the method, and
returns the answer, if there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from ...errors import NotImplementedByBroker
from ...wire.amqp import spec

if TYPE_CHECKING:
    from .channel import ServerChannel

__all__ = ["HANDLERS"]

Answer: TypeAlias = spec.MethodRecord | None


def _exchange_declare(channel: ServerChannel, method: spec.ExchangeDeclare) -> Answer:
    channel.model.declare_exchange(
        method.exchange,
        method.type,
        passive=method.passive,
        durable=method.durable,
        auto_delete=method.auto_delete,
        internal=method.internal,
        arguments=method.arguments,
    )
    return None if method.nowait else spec.ExchangeDeclareOk()


def _exchange_delete(channel: ServerChannel, method: spec.ExchangeDelete) -> Answer:
    channel.model.delete_exchange(method.exchange, method.if_unused)
    return None if method.nowait else spec.ExchangeDeleteOk()


def _exchange_bind(channel: ServerChannel, method: spec.ExchangeBind) -> Answer:
    channel.model.bind_exchange(
        method.destination, method.source, method.routing_key, method.arguments
    )
    return None if method.nowait else spec.ExchangeBindOk()


def _exchange_unbind(channel: ServerChannel, method: spec.ExchangeUnbind) -> Answer:
    channel.model.unbind_exchange(
        method.destination, method.source, method.routing_key, method.arguments
    )
    return None if method.nowait else spec.ExchangeUnbindOk()


def _queue_declare(channel: ServerChannel, method: spec.QueueDeclare) -> Answer:
    done = channel.model.declare_queue(
        method.queue,
        passive=method.passive,
        durable=method.durable,
        exclusive=method.exclusive,
        auto_delete=method.auto_delete,
        arguments=method.arguments,
    )
    return None if method.nowait else spec.QueueDeclareOk(*done)


def _queue_bind(channel: ServerChannel, method: spec.QueueBind) -> Answer:
    channel.model.bind_queue(method.queue, method.exchange, method.routing_key, method.arguments)
    return None if method.nowait else spec.QueueBindOk()


def _queue_unbind(channel: ServerChannel, method: spec.QueueUnbind) -> Answer:
    channel.model.unbind_queue(method.queue, method.exchange, method.routing_key, method.arguments)
    return spec.QueueUnbindOk()


def _queue_purge(channel: ServerChannel, method: spec.QueuePurge) -> Answer:
    count = channel.model.purge_queue(method.queue)
    return None if method.nowait else spec.QueuePurgeOk(count)


def _queue_delete(channel: ServerChannel, method: spec.QueueDelete) -> Answer:
    count = channel.model.delete_queue(method.queue, method.if_unused, method.if_empty)
    return None if method.nowait else spec.QueueDeleteOk(count)


def _qos(channel: ServerChannel, method: spec.BasicQos) -> Answer:
    channel.model.qos(method.prefetch_count, method.global_, method.prefetch_size)
    return spec.BasicQosOk()


def _consume(channel: ServerChannel, method: spec.BasicConsume) -> Answer:
    tag = channel.model.consume(
        method.queue,
        tag=method.consumer_tag,
        no_ack=method.no_ack,
        exclusive=method.exclusive,
        arguments=method.arguments,
    )
    return None if method.nowait else spec.BasicConsumeOk(tag)


def _cancel(channel: ServerChannel, method: spec.BasicCancel) -> Answer:
    channel.model.cancel(method.consumer_tag)
    channel.connection.deliveries.forget()
    return None if method.nowait else spec.BasicCancelOk(method.consumer_tag)


def _get(channel: ServerChannel, method: spec.BasicGet) -> Answer:
    got = channel.model.get(method.queue, method.no_ack)
    if got is None:
        return spec.BasicGetEmpty()
    entry, message = got.entry, got.entry.message
    answer = spec.BasicGetOk(
        entry.tag, entry.redelivered, message.exchange, message.routing_key, got.message_count
    )
    try:
        channel.connection.send_content(channel.number, answer, message)
    except (TypeError, ValueError) as error:  # as for consumers, see `outgoing`
        channel.connection.outlet.told("dropped", queue=entry.queue.name, reason=str(error))
        if not method.no_ack:
            channel.model.ack(entry.tag)
        return spec.BasicGetEmpty()
    return None


def _ack(channel: ServerChannel, method: spec.BasicAck) -> Answer:
    channel.model.ack(method.delivery_tag, method.multiple)
    return None


def _nack(channel: ServerChannel, method: spec.BasicNack) -> Answer:
    channel.model.nack(method.delivery_tag, method.multiple, method.requeue)
    return None


def _reject(channel: ServerChannel, method: spec.BasicReject) -> Answer:
    channel.model.reject(method.delivery_tag, method.requeue)
    return None


def _recover(channel: ServerChannel, method: spec.BasicRecover) -> Answer:
    channel.model.recover(method.requeue)
    return spec.BasicRecoverOk()


def _recover_async(channel: ServerChannel, method: spec.BasicRecoverAsync) -> Answer:
    channel.model.recover(method.requeue)
    return None


def _confirm_select(channel: ServerChannel, method: spec.ConfirmSelect) -> Answer:
    channel.model.confirm_select()
    return None if method.nowait else spec.ConfirmSelectOk()


def _tx_select(channel: ServerChannel, _: spec.TxSelect) -> Answer:
    channel.model.tx_select()
    return spec.TxSelectOk()


def _tx_commit(channel: ServerChannel, _: spec.TxCommit) -> Answer:
    channel.model.tx_commit()
    channel.connection.drain()  # what is returned comes before the answer (66)
    return spec.TxCommitOk()


def _tx_rollback(channel: ServerChannel, _: spec.TxRollback) -> Answer:
    channel.model.tx_rollback()
    return spec.TxRollbackOk()


def _flow(_: ServerChannel, method: spec.ChannelFlow) -> Answer:
    if not method.active:
        raise NotImplementedByBroker("active=false")
    return spec.ChannelFlowOk(active=True)


def _access_request(_: ServerChannel, __: spec.AccessRequest) -> Answer:
    return spec.AccessRequestOk(1)  # permissions are checked where they are needed (23)


HANDLERS: dict[type, Callable[[ServerChannel, Any], Answer]] = {
    spec.AccessRequest: _access_request,
    spec.BasicAck: _ack,
    spec.BasicCancel: _cancel,
    spec.BasicConsume: _consume,
    spec.BasicGet: _get,
    spec.BasicNack: _nack,
    spec.BasicQos: _qos,
    spec.BasicRecover: _recover,
    spec.BasicRecoverAsync: _recover_async,
    spec.BasicReject: _reject,
    spec.ChannelFlow: _flow,
    spec.ConfirmSelect: _confirm_select,
    spec.ExchangeBind: _exchange_bind,
    spec.ExchangeDeclare: _exchange_declare,
    spec.ExchangeDelete: _exchange_delete,
    spec.ExchangeUnbind: _exchange_unbind,
    spec.QueueBind: _queue_bind,
    spec.QueueDeclare: _queue_declare,
    spec.QueueDelete: _queue_delete,
    spec.QueuePurge: _queue_purge,
    spec.QueueUnbind: _queue_unbind,
    spec.TxCommit: _tx_commit,
    spec.TxRollback: _tx_rollback,
    spec.TxSelect: _tx_select,
}
