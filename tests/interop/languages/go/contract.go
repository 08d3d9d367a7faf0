// The client program of Go: it does what ../scenarios.py says with the calls of amqp091-go, and is
// called as contract SCENARIO URL PREFIX [COUNT].
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

const (
	patience       = 30 * time.Second
	volumePatience = 90 * time.Second
)

// Seen is what a scenario prints.
type Seen = map[string]interface{}

// Client is the connection of a scenario, and the names of what it declares.
type Client struct {
	*amqp.Connection
	url    string
	prefix string
	count  int
}

func (client *Client) name(what string) string {
	return client.prefix + "." + what
}

func (client *Client) channel() *amqp.Channel {
	channel, err := client.Channel()
	check(err)
	return channel
}

// check ends the program when something fails that has to succeed.
func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(reason string) {
	fmt.Fprintln(os.Stderr, reason)
	os.Exit(1)
}

func declare(channel *amqp.Channel, queue string, arguments amqp.Table) {
	_, err := channel.QueueDeclare(queue, false, false, false, false, arguments)
	check(err)
}

func publish(channel *amqp.Channel, exchange string, key string, message amqp.Publishing) {
	check(channel.PublishWithContext(context.Background(), exchange, key, false, false, message))
}

func text(body string) amqp.Publishing {
	return amqp.Publishing{Body: []byte(body)}
}

func consume(channel *amqp.Channel, queue string, autoAck bool) <-chan amqp.Delivery {
	deliveries, err := channel.Consume(queue, "", autoAck, false, false, false, nil)
	check(err)
	return deliveries
}

// next fails where deliveries end, as they do when the channel is closed: without that they would
// go on as empty ones.
func next(deliveries <-chan amqp.Delivery) amqp.Delivery {
	message, ok := <-deliveries
	if !ok {
		fail("the deliveries ended")
	}
	return message
}

func ready(channel *amqp.Channel, queue string) int {
	found, err := channel.QueueInspect(queue)
	check(err)
	return found.Messages
}

func remove(channel *amqp.Channel, queues ...string) {
	for _, queue := range queues {
		_, err := channel.QueueDelete(queue, false, false, false)
		check(err)
	}
}

// scenarios are those that begin with a connection: perform has the other two.
var scenarios = map[string]func(*Client) Seen{
	"topology":      topology,
	"confirms":      confirms,
	"mandatory":     mandatory,
	"prefetch":      prefetch,
	"requeue":       requeue,
	"dead_letters":  deadLetters,
	"values":        values,
	"bodies":        bodies,
	"cancelled":     cancelled,
	"channel_error": channelError,
	"direct_reply":  directReply,
	"transactions":  transactions,
	"volume":        volume,
}

func perform(scenario string, url string, prefix string, count int) Seen {
	switch scenario {
	case "refused":
		return refused(url)
	case "reconnect":
		return reconnect(url, prefix)
	}
	act, ok := scenarios[scenario]
	if !ok {
		fail("there is no scenario " + scenario)
	}
	connection, err := amqp.Dial(url)
	check(err)
	defer connection.Close()
	return act(&Client{connection, url, prefix, count})
}

func main() {
	if len(os.Args) < 4 {
		fail("usage: contract SCENARIO URL PREFIX [COUNT]")
	}
	scenario, url, prefix, count := os.Args[1], os.Args[2], os.Args[3], 0
	if len(os.Args) > 4 {
		var err error
		count, err = strconv.Atoi(os.Args[4])
		check(err)
	}
	limit := patience
	if scenario == "volume" {
		limit = volumePatience
	}
	time.AfterFunc(limit, func() { fail(scenario + " did not end in time") })
	check(json.NewEncoder(os.Stdout).Encode(perform(scenario, url, prefix, count)))
}
