// What ../scenarios.py says, with amqplib: node contract.js SCENARIO URL PREFIX [COUNT]
'use strict';

const amqplib = require('amqplib');
const { reconnect } = require('./reconnect');

const SIZES = [0, 1, 131064, 131065, 262128, 1 << 20];
const IN_FLIGHT = 1000;
const PATIENCE = 30000;
const PATIENCE_WITH_MANY = 90000;

/** The names of what a scenario declares. */
class Names {
  constructor(prefix) {
    this.prefix = prefix;
  }

  of(what) {
    return `${this.prefix}.${what}`;
  }
}

/** Deliveries as they come, one after the other. */
class Deliveries {
  constructor() {
    this.come = [];
    this.wanted = [];
  }

  put(message) {
    const taker = this.wanted.shift();
    if (taker) taker(message);
    else this.come.push(message);
  }

  next() {
    if (this.come.length) return Promise.resolve(this.come.shift());
    return new Promise((resolve) => this.wanted.push(resolve));
  }

  static async of(channel, queue, options = {}) {
    const deliveries = new Deliveries();
    await channel.consume(queue, (message) => deliveries.put(message), options);
    return deliveries;
  }
}

async function everything(channel, queue) {
  const found = [];
  for (;;) {
    const message = await channel.get(queue, { noAck: true });
    if (!message) return found;
    found.push(message);
  }
}

async function ready(channel, queue) {
  return (await channel.checkQueue(queue)).messageCount;
}

async function topology(connection, names) {
  const channel = await connection.createChannel();
  const [topic, fanout, headers] = ['topic', 'fanout', 'headers'].map((type) => names.of(type));
  const [queue, matched] = [names.of('q'), names.of('h')];
  await channel.assertExchange(topic, 'topic', { durable: true });
  await channel.assertExchange(fanout, 'fanout', { durable: true });
  await channel.assertExchange(headers, 'headers', { durable: true });
  await channel.assertQueue(queue, { durable: true });
  await channel.assertQueue(matched, { durable: true });
  await channel.bindExchange(fanout, topic, 'a.#');
  await channel.bindQueue(queue, fanout, '');
  await channel.bindQueue(matched, headers, '', { 'x-match': 'all', kind: 'order', size: 3 });
  channel.publish(topic, 'a.b', Buffer.from('1'));
  channel.publish(topic, 'b.a', Buffer.from('2'));
  channel.publish(headers, '', Buffer.from('both'), { headers: { kind: 'order', size: 3 } });
  channel.publish(headers, '', Buffer.from('one'), { headers: { kind: 'order' } });
  const routed = (await everything(channel, queue)).map(({ fields }) => [
    fields.routingKey,
    fields.exchange,
  ]);
  const bodies = (await everything(channel, matched)).map(({ content }) => content.toString());
  channel.sendToQueue(queue, Buffer.from('3'));
  channel.sendToQueue(queue, Buffer.from('4'));
  const purged = (await channel.purgeQueue(queue)).messageCount;
  channel.sendToQueue(queue, Buffer.from('5'));
  const deleted = (await channel.deleteQueue(queue)).messageCount;
  await channel.deleteQueue(matched);
  for (const exchange of [topic, fanout, headers]) await channel.deleteExchange(exchange);
  return { q: routed, h: bodies, purged, deleted };
}

async function confirms(connection, names) {
  const channel = await connection.createConfirmChannel();
  const queue = names.of('q');
  await channel.assertQueue(queue);
  let confirmed = 0;
  for (let number = 0; number < 200; number += 1) {
    channel.sendToQueue(queue, Buffer.from(`${number}`), {}, (error) => {
      if (!error) confirmed += 1;
    });
  }
  await channel.waitForConfirms();
  const count = await ready(channel, queue);
  await channel.deleteQueue(queue);
  return { confirmed, ready: count };
}

async function mandatory(connection, names) {
  const channel = await connection.createConfirmChannel();
  const returned = new Promise((resolve) => channel.once('return', resolve));
  const confirmed = new Promise((resolve) => {
    const options = { mandatory: true };
    channel.publish('', names.of('nowhere'), Buffer.from('lost'), options, (error) =>
      resolve(error === null),
    );
  });
  const { fields, content } = await returned;
  return {
    code: fields.replyCode,
    text: fields.replyText,
    key: fields.routingKey,
    body: content.toString(),
    confirmed: await confirmed,
  };
}

async function prefetch(connection, names) {
  const other = await connection.createChannel();
  const channel = await connection.createChannel();
  const queue = names.of('q');
  await other.assertQueue(queue);
  for (let number = 0; number < 10; number += 1) other.sendToQueue(queue, Buffer.from(`${number}`));
  await channel.prefetch(3);
  const deliveries = await Deliveries.of(channel, queue);
  const all = [await deliveries.next(), await deliveries.next(), await deliveries.next()];
  const waiting = await ready(other, queue);
  channel.ack(all[2], true);
  while (all.length < 10) {
    const message = await deliveries.next();
    all.push(message);
    channel.ack(message);
  }
  const bodies = all.map(({ content }) => content.toString());
  await channel.close();
  const left = await ready(other, queue);
  await other.deleteQueue(queue);
  return { first: bodies.slice(0, 3), ready: waiting, all: bodies, left };
}

async function requeue(connection, names) {
  const channel = await connection.createChannel();
  const queue = names.of('q');
  await channel.assertQueue(queue);
  channel.sendToQueue(queue, Buffer.from('m'));
  const deliveries = await Deliveries.of(channel, queue);
  const redelivered = [];
  const endings = [
    (message) => channel.nack(message, false, true),
    (message) => channel.reject(message, true),
    (message) => channel.reject(message, false),
  ];
  for (const end of endings) {
    const message = await deliveries.next();
    redelivered.push(message.fields.redelivered);
    end(message);
  }
  const left = await ready(channel, queue);
  await channel.deleteQueue(queue);
  return { redelivered, left };
}

async function deadLetters(connection, names) {
  const channel = await connection.createChannel();
  const [exchange, dead, work] = ['dlx', 'dead', 'work'].map((what) => names.of(what));
  await channel.assertExchange(exchange, 'fanout');
  await channel.assertQueue(dead);
  await channel.bindQueue(dead, exchange, '');
  await channel.assertQueue(work, { deadLetterExchange: exchange });
  channel.sendToQueue(work, Buffer.from('job'));
  const jobs = await Deliveries.of(channel, work);
  channel.reject(await jobs.next(), false);
  const letter = await (await Deliveries.of(channel, dead, { noAck: true })).next();
  const { headers } = letter.properties;
  const [death] = headers['x-death'];
  await channel.deleteQueue(work);
  await channel.deleteQueue(dead);
  await channel.deleteExchange(exchange);
  return {
    body: letter.content.toString(),
    reason: death.reason,
    queue: death.queue,
    exchange: death.exchange,
    keys: death['routing-keys'],
    count: death.count,
    first_reason: headers['x-first-death-reason'],
  };
}

async function values(connection, names) {
  const channel = await connection.createChannel();
  const queue = names.of('q');
  await channel.assertQueue(queue);
  channel.sendToQueue(queue, Buffer.from('m'), {
    headers: {
      bool: true,
      int: 7,
      long: 2 ** 40,
      negative: -5,
      double: 1.5,
      text: 'grüße',
      list: [1, 'two'],
      table: { inner: { deep: 3 } },
      null: null,
    },
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    persistent: true,
    priority: 5,
    correlationId: 'c-1',
    replyTo: 'r',
    expiration: 60000,
    messageId: 'm-1',
    timestamp: 1700000000,
    type: 't',
    userId: 'guest',
    appId: 'app',
  });
  const { properties } = await channel.get(queue, { noAck: true });
  await channel.deleteQueue(queue);
  return {
    headers: properties.headers,
    content_type: properties.contentType,
    content_encoding: properties.contentEncoding,
    delivery_mode: properties.deliveryMode,
    priority: properties.priority,
    correlation_id: properties.correlationId,
    reply_to: properties.replyTo,
    expiration: properties.expiration,
    message_id: properties.messageId,
    timestamp: properties.timestamp,
    type: properties.type,
    user_id: properties.userId,
    app_id: properties.appId,
  };
}

async function bodies(connection, names) {
  const channel = await connection.createChannel();
  const queue = names.of('q');
  await channel.assertQueue(queue);
  const deliveries = await Deliveries.of(channel, queue, { noAck: true });
  const sizes = [];
  let intact = true;
  for (const size of SIZES) {
    const body = Buffer.from(Uint8Array.from({ length: size }, (_, index) => index % 251));
    channel.sendToQueue(queue, body);
    const { content } = await deliveries.next();
    sizes.push(content.length);
    intact = intact && content.equals(body);
  }
  await channel.deleteQueue(queue);
  return { sizes, intact };
}

async function cancelled(connection, names) {
  const channel = await connection.createChannel();
  const other = await connection.createChannel();
  const queue = names.of('q');
  await channel.assertQueue(queue);
  // amqplib tells a consumer that it is cancelled by a delivery of null.
  const deliveries = await Deliveries.of(channel, queue);
  await other.deleteQueue(queue);
  return { cancelled: (await deliveries.next()) === null };
}

async function channelError(connection, names) {
  const failing = await connection.createChannel();
  const closed = new Promise((resolve) => failing.once('error', resolve));
  failing.checkQueue(names.of('missing')).catch(() => {});
  const error = await closed;
  const alive = await connection.createChannel();
  const { queue } = await alive.assertQueue(names.of('q'), { exclusive: true });
  const text = error.message.replace(/^.*with message "/, '').replace(/"$/, '');
  return { code: error.code, text, alive: queue === names.of('q') };
}

async function directReply(connection, names, url) {
  const channel = await connection.createChannel();
  const queue = names.of('rpc');
  await channel.assertQueue(queue);
  const replies = await Deliveries.of(channel, 'amq.rabbitmq.reply-to', { noAck: true });
  const options = { replyTo: 'amq.rabbitmq.reply-to', correlationId: '7' };
  channel.sendToQueue(queue, Buffer.from('ping'), options);
  const responder = await amqplib.connect(url);
  const answering = await responder.createChannel();
  const request = await (await Deliveries.of(answering, queue, { noAck: true })).next();
  const { replyTo, correlationId } = request.properties;
  answering.sendToQueue(replyTo, Buffer.from(`${request.content}!`), { correlationId });
  const reply = await replies.next();
  await responder.close();
  await channel.deleteQueue(queue);
  return { reply: reply.content.toString(), correlation_id: reply.properties.correlationId };
}

/** Without a connection: it is to be refused one. With the callback API, as that is another path. */
function refused(url) {
  const { connect } = require('amqplib/callback_api');
  const wrong = new URL(url);
  wrong.password = 'wrong';
  return new Promise((resolve) => {
    connect(wrong.href, (error, connection) => {
      if (connection) connection.close();
      resolve({ refused: Boolean(error) && /403|ACCESS.REFUSED/.test(error.message) });
    });
  });
}

async function publishMany(connection, queue, count) {
  const channel = await connection.createConfirmChannel();
  for (let number = 0; number < count; number += 1) {
    channel.sendToQueue(queue, Buffer.from(`${number}`));
    if ((number + 1) % IN_FLIGHT === 0) await channel.waitForConfirms();
  }
  await channel.waitForConfirms();
}

async function volume(connection, names, url, count) {
  const queue = names.of('q');
  const channel = await connection.createChannel();
  await channel.assertQueue(queue);
  await channel.prefetch(500);
  const publisher = await amqplib.connect(url);
  let [received, inOrder] = [0, true];
  const consumed = new Promise((resolve) => {
    channel.consume(queue, (message) => {
      if (message === null) return; // the queue is deleted at the end
      inOrder = inOrder && Number(message.content) === received;
      received += 1;
      if (received % 100 === 0 || received === count) channel.ack(message, true);
      if (received === count) resolve();
    });
  });
  await Promise.all([publishMany(publisher, queue, count), consumed]);
  await channel.deleteQueue(queue);
  await publisher.close();
  return { received, in_order: inOrder };
}

const SCENARIOS = {
  topology,
  confirms,
  mandatory,
  prefetch,
  requeue,
  dead_letters: deadLetters,
  values,
  bodies,
  cancelled,
  channel_error: channelError,
  direct_reply: directReply,
  volume,
};

async function perform(scenario, url, names, count) {
  if (scenario === 'refused') return refused(url);
  if (scenario === 'reconnect') return reconnect(url, names);
  if (!Object.hasOwn(SCENARIOS, scenario)) throw new Error(`there is no scenario ${scenario}`);
  const connection = await amqplib.connect(url);
  const seen = await SCENARIOS[scenario](connection, names, url, count);
  await connection.close();
  return seen;
}

/** Also keeps Node from ending with 0 when nothing is left that could end what is waited for. */
function watch(scenario) {
  const patience = scenario === 'volume' ? PATIENCE_WITH_MANY : PATIENCE;
  return setTimeout(() => {
    console.error(`${scenario} did not end in time`);
    process.exit(1);
  }, patience);
}

async function main() {
  const [scenario, url, prefix, count] = process.argv.slice(2);
  const watchdog = watch(scenario);
  console.log(JSON.stringify(await perform(scenario, url, new Names(prefix), Number(count))));
  clearTimeout(watchdog);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
