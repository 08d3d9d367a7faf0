// Scenarios about messages on their way.
package main

import (
	"bytes"
	"context"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"
)

var sizes = []int{0, 1, 131064, 131065, 262128, 1 << 20}

func confirms(client *Client) Seen {
	channel, queue := client.channel(), client.name("q")
	declare(channel, queue, nil)
	check(channel.Confirm(false))
	came := channel.NotifyPublish(make(chan amqp.Confirmation, 200))
	for number := 0; number < 200; number++ {
		publish(channel, "", queue, text(strconv.Itoa(number)))
	}
	confirmed := 0
	for number := 0; number < 200; number++ {
		if (<-came).Ack {
			confirmed++
		}
	}
	count := ready(channel, queue)
	remove(channel, queue)
	return Seen{"confirmed": confirmed, "ready": count}
}

func mandatory(client *Client) Seen {
	channel := client.channel()
	check(channel.Confirm(false))
	confirmed := channel.NotifyPublish(make(chan amqp.Confirmation, 1))
	returned := channel.NotifyReturn(make(chan amqp.Return, 1))
	key := client.name("nowhere")
	check(channel.PublishWithContext(context.Background(), "", key, true, false, text("lost")))
	message := <-returned
	return Seen{
		"code":      message.ReplyCode,
		"text":      message.ReplyText,
		"key":       message.RoutingKey,
		"body":      string(message.Body),
		"confirmed": (<-confirmed).Ack,
	}
}

func prefetch(client *Client) Seen {
	other, channel, queue := client.channel(), client.channel(), client.name("q")
	declare(other, queue, nil)
	for number := 0; number < 10; number++ {
		publish(other, "", queue, text(strconv.Itoa(number)))
	}
	check(channel.Qos(3, 0, false))
	deliveries := consume(channel, queue, false)
	all, last := []string{}, amqp.Delivery{}
	for len(all) < 3 {
		last = next(deliveries)
		all = append(all, string(last.Body))
	}
	waiting := ready(other, queue)
	check(last.Ack(true))
	for len(all) < 10 {
		message := next(deliveries)
		all = append(all, string(message.Body))
		check(message.Ack(false))
	}
	check(channel.Close())
	left := ready(other, queue)
	remove(other, queue)
	return Seen{"first": all[:3], "ready": waiting, "all": all, "left": left}
}

func requeue(client *Client) Seen {
	channel, queue := client.channel(), client.name("q")
	declare(channel, queue, nil)
	publish(channel, "", queue, text("m"))
	deliveries := consume(channel, queue, false)
	redelivered := []bool{}
	for _, end := range []func(amqp.Delivery) error{
		func(message amqp.Delivery) error { return message.Nack(false, true) },
		func(message amqp.Delivery) error { return message.Reject(true) },
		func(message amqp.Delivery) error { return message.Reject(false) },
	} {
		message := next(deliveries)
		redelivered = append(redelivered, message.Redelivered)
		check(end(message))
	}
	left := ready(channel, queue)
	remove(channel, queue)
	return Seen{"redelivered": redelivered, "left": left}
}

func deadLetters(client *Client) Seen {
	channel := client.channel()
	exchange, dead, work := client.name("dlx"), client.name("dead"), client.name("work")
	check(channel.ExchangeDeclare(exchange, "fanout", false, false, false, false, nil))
	declare(channel, dead, nil)
	check(channel.QueueBind(dead, "", exchange, false, nil))
	declare(channel, work, amqp.Table{"x-dead-letter-exchange": exchange})
	publish(channel, "", work, text("job"))
	job := next(consume(channel, work, false))
	check(job.Reject(false))
	letter := next(consume(channel, dead, true))
	death := letter.Headers["x-death"].([]interface{})[0].(amqp.Table)
	remove(channel, work, dead)
	check(channel.ExchangeDelete(exchange, false, false))
	return Seen{
		"body":         string(letter.Body),
		"reason":       death["reason"],
		"queue":        death["queue"],
		"exchange":     death["exchange"],
		"keys":         death["routing-keys"],
		"count":        death["count"],
		"first_reason": letter.Headers["x-first-death-reason"],
	}
}

func bodies(client *Client) Seen {
	channel, queue := client.channel(), client.name("q")
	declare(channel, queue, nil)
	deliveries := consume(channel, queue, true)
	found, intact := []int{}, true
	for _, size := range sizes {
		body := make([]byte, size)
		for index := range body {
			body[index] = byte(index % 251)
		}
		publish(channel, "", queue, amqp.Publishing{Body: body})
		message := next(deliveries)
		found = append(found, len(message.Body))
		intact = intact && bytes.Equal(message.Body, body)
	}
	remove(channel, queue)
	return Seen{"sizes": found, "intact": intact}
}

func cancelled(client *Client) Seen {
	channel, queue := client.channel(), client.name("q")
	declare(channel, queue, nil)
	told := channel.NotifyCancel(make(chan string, 1))
	_, err := channel.Consume(queue, "mine", false, false, false, false, nil)
	check(err)
	remove(client.channel(), queue)
	return Seen{"cancelled": <-told == "mine"}
}

func directReply(client *Client) Seen {
	channel, queue := client.channel(), client.name("rpc")
	declare(channel, queue, nil)
	replies := consume(channel, "amq.rabbitmq.reply-to", true)
	request := amqp.Publishing{
		Body: []byte("ping"), ReplyTo: "amq.rabbitmq.reply-to", CorrelationId: "7",
	}
	publish(channel, "", queue, request)
	responder, err := amqp.Dial(client.url)
	check(err)
	defer responder.Close()
	answering, err := responder.Channel()
	check(err)
	asked := next(consume(answering, queue, true))
	answer := amqp.Publishing{
		Body: append(asked.Body, '!'), CorrelationId: asked.CorrelationId,
	}
	publish(answering, "", asked.ReplyTo, answer)
	reply := next(replies)
	remove(channel, queue)
	return Seen{"reply": string(reply.Body), "correlation_id": reply.CorrelationId}
}

func transactions(client *Client) Seen {
	channel, queue := client.channel(), client.name("q")
	declare(channel, queue, nil)
	check(channel.Tx())
	publish(channel, "", queue, text("1"))
	publish(channel, "", queue, text("2"))
	check(channel.TxRollback())
	publish(channel, "", queue, text("3"))
	check(channel.TxCommit())
	count := ready(channel, queue)
	remove(channel, queue)
	return Seen{"ready": count}
}
