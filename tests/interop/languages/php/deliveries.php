<?php

declare(strict_types=1);

use PhpAmqpLib\Channel\AMQPChannel;
use PhpAmqpLib\Message\AMQPMessage;

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
