// Scenarios about declarations, properties and errors.
package main

import (
	"net/url"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

func topology(client *Client) Seen {
	channel := client.channel()
	topic, fanout, headers := client.name("topic"), client.name("fanout"), client.name("headers")
	queue, matched := client.name("q"), client.name("h")
	for name, kind := range map[string]string{topic: "topic", fanout: "fanout", headers: "headers"} {
		check(channel.ExchangeDeclare(name, kind, true, false, false, false, nil))
	}
	for _, name := range []string{queue, matched} {
		_, err := channel.QueueDeclare(name, true, false, false, false, nil)
		check(err)
	}
	check(channel.ExchangeBind(fanout, "a.#", topic, false, nil))
	check(channel.QueueBind(queue, "", fanout, false, nil))
	both := amqp.Table{"kind": "order", "size": int32(3)}
	arguments := amqp.Table{"x-match": "all", "kind": "order", "size": int32(3)}
	check(channel.QueueBind(matched, "", headers, false, arguments))
	publish(channel, topic, "a.b", text("1"))
	publish(channel, topic, "b.a", text("2"))
	publish(channel, headers, "", amqp.Publishing{Body: []byte("both"), Headers: both})
	one := amqp.Publishing{Body: []byte("one"), Headers: amqp.Table{"kind": "order"}}
	publish(channel, headers, "", one)
	routed, bodies := [][]string{}, []string{}
	for _, message := range everything(channel, queue) {
		routed = append(routed, []string{message.RoutingKey, message.Exchange})
	}
	for _, message := range everything(channel, matched) {
		bodies = append(bodies, string(message.Body))
	}
	publish(channel, "", queue, text("3"))
	publish(channel, "", queue, text("4"))
	purged, err := channel.QueuePurge(queue, false)
	check(err)
	publish(channel, "", queue, text("5"))
	deleted, err := channel.QueueDelete(queue, false, false, false)
	check(err)
	remove(channel, matched)
	for _, name := range []string{topic, fanout, headers} {
		check(channel.ExchangeDelete(name, false, false))
	}
	return Seen{"q": routed, "h": bodies, "purged": purged, "deleted": deleted}
}

func everything(channel *amqp.Channel, queue string) (found []amqp.Delivery) {
	for {
		message, ok, err := channel.Get(queue, true)
		check(err)
		if !ok {
			return found
		}
		found = append(found, message)
	}
}

func values(client *Client) Seen {
	channel, queue := client.channel(), client.name("q")
	declare(channel, queue, nil)
	publish(channel, "", queue, amqp.Publishing{
		Headers: amqp.Table{
			"bool":     true,
			"int":      int32(7),
			"long":     int64(1) << 40,
			"negative": int32(-5),
			"double":   1.5,
			"text":     "grüße",
			"list":     []interface{}{int32(1), "two"},
			"table":    amqp.Table{"inner": amqp.Table{"deep": int32(3)}},
			"null":     nil,
		},
		ContentType:     "application/json",
		ContentEncoding: "utf-8",
		DeliveryMode:    amqp.Persistent,
		Priority:        5,
		CorrelationId:   "c-1",
		ReplyTo:         "r",
		Expiration:      "60000",
		MessageId:       "m-1",
		Timestamp:       time.Unix(1700000000, 0),
		Type:            "t",
		UserId:          "guest",
		AppId:           "app",
	})
	got := everything(channel, queue)[0]
	remove(channel, queue)
	return Seen{
		"headers":          got.Headers,
		"content_type":     got.ContentType,
		"content_encoding": got.ContentEncoding,
		"delivery_mode":    got.DeliveryMode,
		"priority":         got.Priority,
		"correlation_id":   got.CorrelationId,
		"reply_to":         got.ReplyTo,
		"expiration":       got.Expiration,
		"message_id":       got.MessageId,
		"timestamp":        got.Timestamp.Unix(),
		"type":             got.Type,
		"user_id":          got.UserId,
		"app_id":           got.AppId,
	}
}

func channelError(client *Client) Seen {
	failing := client.channel()
	closed := failing.NotifyClose(make(chan *amqp.Error, 1))
	_, err := failing.QueueDeclarePassive(client.name("missing"), false, false, false, false, nil)
	if err == nil {
		fail("a missing queue was found")
	}
	reason := <-closed
	queue, err := client.channel().QueueDeclare(client.name("q"), false, false, true, false, nil)
	check(err)
	alive := queue.Name == client.name("q")
	return Seen{"code": reason.Code, "text": reason.Reason, "alive": alive}
}

func refused(address string) Seen {
	wrong, err := url.Parse(address)
	check(err)
	wrong.User = url.UserPassword(wrong.User.Username(), "wrong")
	_, err = amqp.Dial(wrong.String())
	reason, ok := err.(*amqp.Error)
	return Seen{"refused": ok && reason.Code == amqp.AccessRefused}
}
