<?php
// What several scenarios of contract.php do.

declare(strict_types=1);

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Message\AMQPMessage;

const PATIENCE = 30; // seconds for one delivery or answer

/** Ends the program with an error, should it still be there after these seconds. */
function end_after(int $seconds): void
{
    pcntl_async_signals(true);
    pcntl_signal(SIGALRM, function () use ($seconds): void {
        fwrite(STDERR, "not done after $seconds seconds\n");
        // exit() would close the connections, and wait for the answer without end
        posix_kill(posix_getpid(), SIGKILL);
    });
    pcntl_alarm($seconds);
}

/** Connections to one broker, and names that begin with one prefix. */
abstract class Client
{
    /** @var AMQPStreamConnection[] */
    private array $connections = [];

    public function __construct(private string $url, private string $prefix)
    {
    }

    protected function name(string $what): string
    {
        return "{$this->prefix}.$what";
    }

    protected function connect(?string $password = null): AMQPStreamConnection
    {
        $url = parse_url($this->url) + ['port' => 5672, 'user' => 'guest', 'pass' => 'guest'];
        $password ??= $url['pass'];
        $connection = new AMQPStreamConnection($url['host'], $url['port'], $url['user'], $password);
        return $this->connections[] = $connection;
    }

    protected function close(): void
    {
        foreach ($this->connections as $connection) {
            $connection->close();
        }
    }

    /** Leave alone the connections that are lost. */
    protected function forget(): void
    {
        $this->connections = [];
    }

    /** The queue that most scenarios have, and the channel that it was declared on. */
    protected function queue(): array
    {
        $channel = $this->connect()->channel();
        $channel->queue_declare($this->name('q'), false, false, false, false);
        return [$channel, $this->name('q')];
    }

    protected function publish(AMQPChannel $channel, string $queue, string ...$bodies): void
    {
        foreach ($bodies as $body) {
            $channel->basic_publish(new AMQPMessage($body), '', $queue);
        }
    }

    protected function everything(AMQPChannel $channel, string $queue): array
    {
        $found = [];
        while ($message = $channel->basic_get($queue, true)) {
            $found[] = $message;
        }
        return $found;
    }

    protected function ready(AMQPChannel $channel, string $queue): int
    {
        return $channel->queue_declare($queue, true)[1];
    }

    protected static function texts(array $messages): array
    {
        return array_map(fn (AMQPMessage $message) => $message->getBody(), $messages);
    }
}

/** Deliveries as they come, one after the other. */
final class Deliveries
{
    /** @var AMQPMessage[] */
    private array $come = [];

    public function __construct(private AMQPChannel $channel, string $queue, bool $noAck = false)
    {
        $put = function (AMQPMessage $message): void {
            $this->come[] = $message;
        };
        $channel->basic_consume($queue, '', false, $noAck, false, false, $put);
    }

    public function next(): AMQPMessage
    {
        while (!$this->come) {
            $this->channel->wait(null, false, PATIENCE);
        }
        return array_shift($this->come);
    }
}
