# frozen_string_literal: true

# What ../scenarios.py says, with Bunny: ruby contract.rb SCENARIO URL PREFIX [COUNT]

require 'bunny'
require 'json'
require 'timeout'
require 'uri'

SIZES = [0, 1, 131_064, 131_065, 262_128, 1 << 20].freeze
IN_FLIGHT = 1000
PATIENCE = Hash.new(30).merge('volume' => 90)
SCENARIOS = %w[
  topology confirms mandatory prefetch requeue dead_letters values bodies cancelled channel_error
  direct_reply transactions refused volume reconnect
].freeze

# Scenarios, each by its name; what a scenario returns is printed.
class Contract
  def initialize(url, prefix, count)
    @url = url
    @prefix = prefix
    @count = count
    @connections = []
  end

  def perform(scenario)
    raise ArgumentError, "no scenario #{scenario}" unless SCENARIOS.include?(scenario)

    public_send(scenario)
  ensure
    @connections.each { |connection| connection.close if connection.open? }
  end

  def topology
    channel = connect.create_channel
    topic = channel.topic(name('topic'), durable: true)
    fanout = channel.fanout(name('fanout'), durable: true)
    headers = channel.headers(name('headers'), durable: true)
    queue = channel.queue(name('q'), durable: true)
    matched = channel.queue(name('h'), durable: true)
    fanout.bind(topic, routing_key: 'a.#')
    queue.bind(fanout)
    matched.bind(headers, arguments: { 'x-match' => 'all', 'kind' => 'order', 'size' => 3 })
    topic.publish('1', routing_key: 'a.b')
    topic.publish('2', routing_key: 'b.a')
    headers.publish('both', headers: { 'kind' => 'order', 'size' => 3 })
    headers.publish('one', headers: { 'kind' => 'order' })
    routed = everything(queue).map { |delivery, _, _| [delivery.routing_key, delivery.exchange] }
    seen = { q: routed, h: everything(matched).map { |_, _, body| body } }
    2.times { |number| queue.publish(number.to_s) }
    purged = channel.queue_purge(queue.name).message_count
    queue.publish('5')
    deleted = queue.delete.message_count
    [matched, topic, fanout, headers].each(&:delete)
    { **seen, purged:, deleted: }
  end

  def confirms
    queue = declare
    channel = queue.channel
    acked = Queue.new
    channel.confirm_select(->(tag, _, nack) { acked << tag unless nack })
    200.times { |number| queue.publish(number.to_s) }
    await_confirms(channel)
    # Bunny ends that wait before it has called back for the last ones: wait for these as well.
    confirmed = Array.new(200) { acked.pop }.uniq.size
    seen = { confirmed:, ready: ready(queue) }
    queue.delete
    seen
  end

  def mandatory
    channel = connect.create_channel
    channel.confirm_select
    returned = Queue.new
    exchange = channel.default_exchange
    exchange.on_return { |info, _, body| returned << [info, body] }
    exchange.publish('lost', routing_key: name('nowhere'), mandatory: true)
    confirmed = channel.wait_for_confirms
    info, body = returned.pop
    { code: info.reply_code, text: info.reply_text, key: info.routing_key, body:, confirmed: }
  end

  def prefetch
    other = declare
    10.times { |number| other.publish(number.to_s) }
    channel = @connections.first.create_channel
    channel.prefetch(3)
    deliveries = consume(channel.queue(other.name, passive: true))
    all = Array.new(3) { deliveries.pop }
    waiting = ready(other)
    channel.ack(all.last.first.delivery_tag, true)
    while all.size < 10
      all << deliveries.pop
      channel.ack(all.last.first.delivery_tag)
    end
    channel.close
    bodies = all.map(&:last)
    seen = { first: bodies.first(3), ready: waiting, all: bodies, left: ready(other) }
    other.delete
    seen
  end

  def requeue
    queue = declare
    channel = queue.channel
    queue.publish('m')
    deliveries = consume(queue)
    endings = [
      ->(tag) { channel.nack(tag, false, true) },
      ->(tag) { channel.reject(tag, true) },
      ->(tag) { channel.reject(tag, false) }
    ]
    redelivered = endings.map do |ending|
      delivery, = deliveries.pop
      ending.call(delivery.delivery_tag)
      delivery.redelivered?
    end
    seen = { redelivered:, left: ready(queue) }
    queue.delete
    seen
  end

  def dead_letters
    channel = connect.create_channel
    exchange = channel.fanout(name('dlx'))
    dead = channel.queue(name('dead')).bind(exchange)
    work = channel.queue(name('work'), arguments: { 'x-dead-letter-exchange' => exchange.name })
    work.publish('job')
    delivery, = consume(work).pop
    channel.reject(delivery.delivery_tag, false)
    _, properties, body = consume(dead, ack: false).pop
    death = properties.headers['x-death'].first
    [work, dead, exchange].each(&:delete)
    { body:, reason: death['reason'], queue: death['queue'], exchange: death['exchange'],
      keys: death['routing-keys'], count: death['count'],
      first_reason: properties.headers['x-first-death-reason'] }
  end

  def values
    queue = declare
    queue.publish('m', **PROPERTIES, headers: HEADERS)
    _, properties, = everything(queue).first
    queue.delete
    seen = PROPERTIES.keys.reject { |key| key == :persistent }.to_h { |key| [key, properties[key]] }
    { **seen, delivery_mode: properties.delivery_mode, headers: properties.headers,
              timestamp: properties.timestamp.to_i }
  end

  def bodies
    queue = declare
    deliveries = consume(queue, ack: false)
    intact = true
    sizes = SIZES.map do |size|
      body = Array.new(size) { |index| index % 251 }.pack('C*')
      queue.publish(body)
      found = deliveries.pop.last
      intact &&= found.b == body
      found.bytesize
    end
    queue.delete
    { sizes:, intact: }
  end

  def cancelled
    queue = declare
    told = Queue.new
    consumer = Bunny::Consumer.new(queue.channel, queue, 'mine')
    consumer.on_cancellation { |method| told << method.consumer_tag }
    queue.subscribe_with(consumer)
    @connections.first.create_channel.queue_delete(queue.name)
    { cancelled: told.pop == 'mine' }
  end

  def channel_error
    connection = connect
    code, text = missing(connection.create_channel)
    queue = connection.create_channel.queue(name('q'), exclusive: true)
    { code:, text:, alive: queue.name == name('q') }
  end

  def direct_reply
    queue = declare
    channel = queue.channel
    replies = Queue.new
    pseudo = channel.queue('amq.rabbitmq.reply-to', no_declare: true)
    pseudo.subscribe { |_, properties, body| replies << [properties, body] }
    queue.publish('ping', reply_to: pseudo.name, correlation_id: '7')
    answering = connect.create_channel
    requests = consume(answering.queue(queue.name, passive: true), ack: false)
    _, asked, body = requests.pop
    answer = { routing_key: asked.reply_to, correlation_id: asked.correlation_id }
    answering.default_exchange.publish("#{body}!", **answer)
    properties, reply = replies.pop
    queue.delete
    { reply:, correlation_id: properties.correlation_id }
  end

  def transactions
    queue = declare
    channel = queue.channel
    channel.tx_select
    2.times { |number| queue.publish(number.to_s) }
    channel.tx_rollback
    queue.publish('3')
    channel.tx_commit
    seen = { ready: ready(queue) }
    queue.delete
    seen
  end

  def refused
    wrong = URI(@url)
    wrong.password = 'wrong'
    connect(wrong.to_s)
    { refused: false }
  rescue Bunny::AuthenticationFailureError # which is what Bunny makes of the code 403
    { refused: true }
  end

  def volume
    queue = declare
    queue.channel.prefetch(500)
    deliveries = consume(queue)
    publishing = Thread.new { publish_many(queue.name) }
    publishing.abort_on_exception = true
    in_order = true
    @count.times do |number|
      delivery, _, body = deliveries.pop
      in_order &&= body == number.to_s
      ack = ((number + 1) % 100).zero? || number + 1 == @count
      queue.channel.ack(delivery.delivery_tag, true) if ack
    end
    publishing.join
    queue.delete
    { received: @count, in_order: }
  end

  # Bunny connects again by itself, and restores channels, queues and consumers.
  def reconnect
    queue = declare(automatically_recover: true, recovery_attempts: 100)
    queue.publish('kept')
    deliveries = consume(queue)
    deliveries.pop
    puts 'consuming'
    $stdout.flush
    delivery, _, body = deliveries.pop
    queue.channel.ack(delivery.delivery_tag)
    seen = { body:, redelivered: delivery.redelivered? }
    queue.delete
    seen
  end

  private

  HEADERS = {
    'bool' => true, 'int' => 7, 'long' => 1 << 40, 'negative' => -5, 'double' => 1.5,
    'text' => 'grüße', 'list' => [1, 'two'], 'table' => { 'inner' => { 'deep' => 3 } },
    'null' => nil
  }.freeze
  PROPERTIES = {
    content_type: 'application/json', content_encoding: 'utf-8', persistent: true, priority: 5,
    correlation_id: 'c-1', reply_to: 'r', expiration: '60000', message_id: 'm-1',
    timestamp: 1_700_000_000, type: 't', user_id: 'guest', app_id: 'app'
  }.freeze
  private_constant :HEADERS, :PROPERTIES

  def name(what)
    "#{@prefix}.#{what}"
  end

  def connect(url = @url, **options)
    settings = { automatically_recover: false, network_recovery_interval: 0.1, **options }
    # To Bunny a last slash means a virtual host without a name. What it logs of a refusal or a
    # cut is no failure of a scenario.
    connection = Bunny.new(url.delete_suffix('/'), log_file: File::NULL, **settings)
    @connections << connection
    connection.start
  end

  # The queue that most scenarios have, on a connection of its own.
  def declare(**options)
    connect(**options).create_channel.queue(name('q'))
  end

  def everything(queue)
    found = []
    loop do
      delivery, properties, body = queue.pop
      return found unless delivery

      found << [delivery, properties, body]
    end
  end

  def ready(queue)
    queue.channel.queue(queue.name, passive: true).message_count
  end

  # Deliveries as they come, one after the other.
  def consume(queue, ack: true)
    deliveries = Queue.new
    queue.subscribe(manual_ack: ack) { |*delivery| deliveries << delivery }
    deliveries
  end

  def missing(channel)
    channel.queue(name('missing'), passive: true)
    raise 'a missing queue was found'
  rescue Bunny::NotFound => e
    [e.channel_close.reply_code, e.channel_close.reply_text]
  end

  def publish_many(queue)
    channel = connect.create_channel
    channel.confirm_select
    @count.times do |number|
      channel.default_exchange.publish(number.to_s, routing_key: queue)
      await_confirms(channel) if ((number + 1) % IN_FLIGHT).zero?
    end
    await_confirms(channel)
  end

  def await_confirms(channel)
    raise 'a message was not confirmed' unless channel.wait_for_confirms
  end
end

scenario, url, prefix, count = ARGV
Timeout.timeout(PATIENCE[scenario]) do
  puts JSON.generate(Contract.new(url, prefix, count.to_i).perform(scenario))
end
