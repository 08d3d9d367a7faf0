<?php
// What ../scenarios.py says, with php-amqplib: php contract.php SCENARIO URL PREFIX [COUNT]

declare(strict_types=1);

error_reporting(E_ALL & ~E_DEPRECATED); // the library is older than PHP 8.2
ini_set('display_errors', 'stderr');
ini_set('log_errors', '0'); // that would be the same again

require '/usr/share/php/PhpAmqpLib/autoload.php';
require __DIR__ . '/client.php';

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Exception\AMQPBasicCancelException;
use PhpAmqpLib\Exception\AMQPConnectionClosedException;
use PhpAmqpLib\Exception\AMQPProtocolChannelException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

const SIZES = [0, 1, 131064, 131065, 262128, 1 << 20];
const IN_FLIGHT = 1000;
const PSEUDO_QUEUE = 'amq.rabbitmq.reply-to';

/** The scenarios, each a method of its name; what it returns is printed. */
final class Contract extends Client
{
    public const SCENARIOS = [
        'topology', 'confirms', 'mandatory', 'prefetch', 'requeue', 'dead_letters', 'values',
        'bodies', 'cancelled', 'channel_error', 'direct_reply', 'transactions', 'refused',
        'volume', 'reconnect',
    ];

    public function __construct(string $url, string $prefix, private int $count)
    {
        parent::__construct($url, $prefix);
    }

    public function perform(string $scenario): array
    {
        $seen = $this->$scenario();
        $this->close();
        return $seen;
    }

    private function topology(): array
    {
        $channel = $this->connect()->channel();
        $exchanges = array_map($this->name(...), ['topic', 'fanout', 'headers']);
        [$queue, $matched] = [$this->name('q'), $this->name('h')];
        $this->declareTopology($channel);
        $this->publishThroughTopology($channel);
        $routed = array_map(
            fn (AMQPMessage $message) => [$message->getRoutingKey(), $message->getExchange()],
            $this->everything($channel, $queue),
        );
        $bodies = self::texts($this->everything($channel, $matched));
        $this->publish($channel, $queue, '3', '4');
        $purged = $channel->queue_purge($queue);
        $this->publish($channel, $queue, '5');
        $deleted = $channel->queue_delete($queue);
        $channel->queue_delete($matched);
        array_map($channel->exchange_delete(...), $exchanges);
        return ['q' => $routed, 'h' => $bodies, 'purged' => $purged, 'deleted' => $deleted];
    }

    private function declareTopology(AMQPChannel $channel): void
    {
        foreach (['topic', 'fanout', 'headers'] as $type) {
            $channel->exchange_declare($this->name($type), $type, false, true, false);
        }
        foreach (['q', 'h'] as $queue) {
            $channel->queue_declare($this->name($queue), false, true, false, false);
        }
        $channel->exchange_bind($this->name('fanout'), $this->name('topic'), 'a.#');
        $channel->queue_bind($this->name('q'), $this->name('fanout'));
        $arguments = new AMQPTable(['x-match' => 'all', 'kind' => 'order', 'size' => 3]);
        $channel->queue_bind($this->name('h'), $this->name('headers'), '', false, $arguments);
    }

    private function publishThroughTopology(AMQPChannel $channel): void
    {
        $channel->basic_publish(new AMQPMessage('1'), $this->name('topic'), 'a.b');
        $channel->basic_publish(new AMQPMessage('2'), $this->name('topic'), 'b.a');
        $headers = ['both' => ['kind' => 'order', 'size' => 3], 'one' => ['kind' => 'order']];
        foreach ($headers as $body => $table) {
            $message = new AMQPMessage($body, ['application_headers' => new AMQPTable($table)]);
            $channel->basic_publish($message, $this->name('headers'));
        }
    }

    private function confirms(): array
    {
        [$channel, $queue] = $this->queue();
        $confirmed = 0;
        $channel->set_ack_handler(function () use (&$confirmed): void {
            $confirmed++;
        });
        $channel->confirm_select();
        $this->publish($channel, $queue, ...array_map('strval', range(0, 199)));
        $channel->wait_for_pending_acks(PATIENCE);
        $ready = $this->ready($channel, $queue);
        $channel->queue_delete($queue);
        return ['confirmed' => $confirmed, 'ready' => $ready];
    }

    private function mandatory(): array
    {
        $channel = $this->connect()->channel();
        $seen = ['confirmed' => false];
        $channel->set_return_listener(
            function (int $code, string $text, string $exchange, string $key, AMQPMessage $message)
            use (&$seen): void {
                $body = $message->getBody();
                $seen += ['code' => $code, 'text' => $text, 'key' => $key, 'body' => $body];
            },
        );
        $channel->set_ack_handler(function () use (&$seen): void {
            $seen['confirmed'] = true;
        });
        $channel->confirm_select();
        $channel->basic_publish(new AMQPMessage('lost'), '', $this->name('nowhere'), true);
        $channel->wait_for_pending_acks_returns(PATIENCE);
        return $seen;
    }

    private function prefetch(): array
    {
        [$other, $queue] = $this->queue();
        $this->publish($other, $queue, ...array_map('strval', range(0, 9)));
        $channel = $other->getConnection()->channel();
        $channel->basic_qos(0, 3, false);
        $deliveries = new Deliveries($channel, $queue);
        $all = [$deliveries->next(), $deliveries->next(), $deliveries->next()];
        $ready = $this->ready($other, $queue);
        $all[2]->ack(true);
        while (count($all) < 10) {
            $all[] = $message = $deliveries->next();
            $message->ack();
        }
        $channel->close();
        $bodies = self::texts($all);
        $left = $this->ready($other, $queue);
        $other->queue_delete($queue);
        $first = array_slice($bodies, 0, 3);
        return ['first' => $first, 'ready' => $ready, 'all' => $bodies, 'left' => $left];
    }

    private function requeue(): array
    {
        [$channel, $queue] = $this->queue();
        $this->publish($channel, $queue, 'm');
        $deliveries = new Deliveries($channel, $queue);
        $endings = [
            fn (AMQPMessage $message) => $message->nack(true),
            fn (AMQPMessage $message) => $message->reject(true),
            fn (AMQPMessage $message) => $message->reject(false),
        ];
        $redelivered = [];
        foreach ($endings as $ending) {
            $message = $deliveries->next();
            $redelivered[] = $message->isRedelivered();
            $ending($message);
        }
        $left = $this->ready($channel, $queue);
        $channel->queue_delete($queue);
        return ['redelivered' => $redelivered, 'left' => $left];
    }

    private function dead_letters(): array
    {
        $channel = $this->connect()->channel();
        [$exchange, $dead, $work] = array_map($this->name(...), ['dlx', 'dead', 'work']);
        $channel->exchange_declare($exchange, 'fanout', false, false, false);
        $channel->queue_declare($dead, false, false, false, false);
        $channel->queue_bind($dead, $exchange);
        $arguments = new AMQPTable(['x-dead-letter-exchange' => $exchange]);
        $channel->queue_declare($work, false, false, false, false, false, $arguments);
        $this->publish($channel, $work, 'job');
        (new Deliveries($channel, $work))->next()->reject(false);
        $letter = (new Deliveries($channel, $dead, true))->next();
        $headers = $letter->get('application_headers')->getNativeData();
        $death = $headers['x-death'][0];
        $channel->queue_delete($work);
        $channel->queue_delete($dead);
        $channel->exchange_delete($exchange);
        return [
            'body' => $letter->getBody(),
            'reason' => $death['reason'],
            'queue' => $death['queue'],
            'exchange' => $death['exchange'],
            'keys' => $death['routing-keys'],
            'count' => $death['count'],
            'first_reason' => $headers['x-first-death-reason'],
        ];
    }

    private function values(): array
    {
        [$channel, $queue] = $this->queue();
        $headers = [ // no double: the library has no way to write one
            'bool' => true,
            'int' => 7,
            'long' => 1 << 40,
            'negative' => -5,
            'text' => 'grüße',
            'list' => [1, 'two'],
            'table' => ['inner' => ['deep' => 3]],
            'null' => null,
        ];
        $properties = [
            'content_type' => 'application/json',
            'content_encoding' => 'utf-8',
            'delivery_mode' => AMQPMessage::DELIVERY_MODE_PERSISTENT,
            'priority' => 5,
            'correlation_id' => 'c-1',
            'reply_to' => 'r',
            'expiration' => '60000',
            'message_id' => 'm-1',
            'timestamp' => 1700000000,
            'type' => 't',
            'user_id' => 'guest',
            'app_id' => 'app',
        ];
        $message = new AMQPMessage('m', $properties);
        $message->set('application_headers', new AMQPTable($headers));
        $channel->basic_publish($message, '', $queue);
        $got = $this->everything($channel, $queue)[0];
        $channel->queue_delete($queue);
        $seen = array_intersect_key($got->get_properties(), $properties);
        return [...$seen, 'headers' => $got->get('application_headers')->getNativeData()];
    }

    private function bodies(): array
    {
        [$channel, $queue] = $this->queue();
        $deliveries = new Deliveries($channel, $queue, true);
        $cycle = implode('', array_map('chr', range(0, 250)));
        [$sizes, $intact] = [[], true];
        foreach (SIZES as $size) {
            $body = substr(str_repeat($cycle, intdiv($size, 251) + 1), 0, $size);
            $this->publish($channel, $queue, $body);
            $found = $deliveries->next()->getBody();
            $sizes[] = strlen($found);
            $intact = $intact && $found === $body;
        }
        $channel->queue_delete($queue);
        return ['sizes' => $sizes, 'intact' => $intact];
    }

    private function cancelled(): array
    {
        [$channel, $queue] = $this->queue();
        $channel->basic_consume($queue, 'mine', false, false, false, false, fn () => null);
        $channel->getConnection()->channel()->queue_delete($queue);
        try {
            $channel->wait(null, false, PATIENCE);
        } catch (AMQPBasicCancelException $told) {
            return ['cancelled' => $told->consumerTag === 'mine'];
        }
        return ['cancelled' => false];
    }

    private function channel_error(): array
    {
        $connection = $this->connect();
        $seen = ['code' => null];
        try {
            $connection->channel()->queue_declare($this->name('missing'), true);
        } catch (AMQPProtocolChannelException $error) {
            $seen = ['code' => $error->amqp_reply_code, 'text' => $error->amqp_reply_text];
        }
        [$queue] = $connection->channel()->queue_declare($this->name('q'), false, false, true);
        return [...$seen, 'alive' => $queue === $this->name('q')];
    }

    private function direct_reply(): array
    {
        $channel = $this->connect()->channel();
        $queue = $this->name('rpc');
        $channel->queue_declare($queue, false, false, false, false);
        $replies = new Deliveries($channel, PSEUDO_QUEUE, true);
        $request = new AMQPMessage('ping', ['reply_to' => PSEUDO_QUEUE, 'correlation_id' => '7']);
        $channel->basic_publish($request, '', $queue);
        $answering = $this->connect()->channel();
        $asked = (new Deliveries($answering, $queue, true))->next();
        $same = ['correlation_id' => $asked->get('correlation_id')];
        $answer = new AMQPMessage($asked->getBody() . '!', $same);
        $answering->basic_publish($answer, '', $asked->get('reply_to'));
        $reply = $replies->next();
        $channel->queue_delete($queue);
        return ['reply' => $reply->getBody(), 'correlation_id' => $reply->get('correlation_id')];
    }

    private function transactions(): array
    {
        [$channel, $queue] = $this->queue();
        $channel->tx_select();
        $this->publish($channel, $queue, '1', '2');
        $channel->tx_rollback();
        $this->publish($channel, $queue, '3');
        $channel->tx_commit();
        $ready = $this->ready($channel, $queue);
        $channel->queue_delete($queue);
        return ['ready' => $ready];
    }

    private function refused(): array
    {
        try {
            $this->connect('wrong');
        } catch (AMQPConnectionClosedException $error) {
            return ['refused' => str_contains($error->getMessage(), 'ACCESS_REFUSED')];
        }
        return ['refused' => false];
    }

    /** PHP does one thing at a time: what was published is consumed before more is. */
    private function volume(): array
    {
        [$channel, $queue] = $this->queue();
        $channel->basic_qos(0, 500, false);
        $deliveries = new Deliveries($channel, $queue);
        $publisher = $this->connect()->channel();
        $publisher->confirm_select();
        [$received, $inOrder] = [0, true];
        while ($received < $this->count) {
            $upTo = min($received + IN_FLIGHT, $this->count);
            $this->publish($publisher, $queue, ...array_map('strval', range($received, $upTo - 1)));
            $publisher->wait_for_pending_acks(PATIENCE);
            while ($received < $upTo) {
                $message = $deliveries->next();
                $inOrder = $inOrder && $message->getBody() === (string) $received;
                $received++;
                if ($received % 100 === 0 || $received === $upTo) {
                    $message->ack(true);
                }
            }
        }
        $channel->queue_delete($queue);
        return ['received' => $received, 'in_order' => $inOrder];
    }

    /** The library leaves it to its users to connect again. */
    private function reconnect(): array
    {
        [$channel, $queue] = $this->queue();
        $this->publish($channel, $queue, 'kept');
        $deliveries = new Deliveries($channel, $queue);
        $deliveries->next();
        echo "consuming\n";
        try {
            $deliveries->next();
        } catch (AMQPConnectionClosedException) {
            $this->forget();
            [$channel] = $this->queue();
        }
        $message = (new Deliveries($channel, $queue))->next();
        $message->ack();
        $channel->queue_delete($queue);
        return ['body' => $message->getBody(), 'redelivered' => $message->isRedelivered()];
    }
}

[$scenario, $url, $prefix, $count] = [...array_slice($argv, 1), null, null, null, null];
if (!in_array($scenario, Contract::SCENARIOS, true) || $prefix === null) {
    fwrite(STDERR, "php contract.php SCENARIO URL PREFIX [COUNT]\n");
    exit(2);
}
end_after($scenario === 'volume' ? 90 : 40);
$seen = (new Contract($url, $prefix, (int) $count))->perform($scenario);
echo json_encode($seen, JSON_THROW_ON_ERROR), "\n";
