// A consumer that amqp-connection-manager brings back after its connection was cut.
'use strict';

const manager = require('amqp-connection-manager');

async function consume(channel, queue, onMessage) {
  await channel.assertQueue(queue);
  await channel.consume(queue, onMessage);
}

exports.reconnect = async function reconnect(url, names) {
  const queue = names.of('q');
  const connection = manager.connect([url], { reconnectTimeInSeconds: 0.1 });
  let channel;
  const again = new Promise((resolve) => {
    let first = true;
    const onMessage = (message) => {
      if (!first) return resolve(message);
      first = false;
      return console.log('consuming');
    };
    channel = connection.createChannel({ setup: (each) => consume(each, queue, onMessage) });
  });
  await channel.waitForConnect();
  await channel.sendToQueue(queue, Buffer.from('kept'));
  const message = await again;
  channel.ack(message);
  await channel.deleteQueue(queue);
  await connection.close();
  return { body: message.content.toString(), redelivered: message.fields.redelivered };
};
