// Scenarios that last: many messages, and a connection that is cut.
package main

import (
	"fmt"
	"strconv"

	amqp "github.com/rabbitmq/amqp091-go"
)

const inFlight = 1000

func volume(client *Client) Seen {
	channel, queue := client.channel(), client.name("q")
	declare(channel, queue, nil)
	check(channel.Qos(500, 0, false))
	deliveries := consume(channel, queue, false)
	published := make(chan bool)
	go func() {
		publishMany(client, queue)
		close(published)
	}()
	received, inOrder := 0, true
	for received < client.count {
		message := next(deliveries)
		inOrder = inOrder && string(message.Body) == strconv.Itoa(received)
		received++
		if received%100 == 0 || received == client.count {
			check(message.Ack(true))
		}
	}
	<-published
	remove(channel, queue)
	return Seen{"received": received, "in_order": inOrder}
}

func publishMany(client *Client, queue string) {
	connection, err := amqp.Dial(client.url)
	check(err)
	defer connection.Close()
	channel, err := connection.Channel()
	check(err)
	check(channel.Confirm(false))
	came := channel.NotifyPublish(make(chan amqp.Confirmation, inFlight))
	outstanding := 0
	for number := 0; number < client.count; number++ {
		if outstanding == inFlight {
			confirmed(came)
			outstanding--
		}
		publish(channel, "", queue, text(strconv.Itoa(number)))
		outstanding++
	}
	for ; outstanding > 0; outstanding-- {
		confirmed(came)
	}
}

func confirmed(came <-chan amqp.Confirmation) {
	if !(<-came).Ack {
		fail("a message was not confirmed")
	}
}

// reconnect does by hand what the library leaves to its users: it connects again when it is told
// that the connection is closed.
func reconnect(url string, prefix string) Seen {
	queue := prefix + ".q"
	connection, channel := begin(url, queue)
	publish(channel, "", queue, text("kept"))
	next(consume(channel, queue, false))
	closed := connection.NotifyClose(make(chan *amqp.Error, 1))
	fmt.Println("consuming")
	<-closed
	connection, channel = begin(url, queue)
	defer connection.Close()
	message := next(consume(channel, queue, false))
	check(message.Ack(false))
	remove(channel, queue)
	return Seen{"body": string(message.Body), "redelivered": message.Redelivered}
}

func begin(url string, queue string) (*amqp.Connection, *amqp.Channel) {
	connection, err := amqp.Dial(url)
	check(err)
	channel, err := connection.Channel()
	check(err)
	declare(channel, queue, nil)
	return connection, channel
}
