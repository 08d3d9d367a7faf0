import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.AuthenticationFailureException;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.Delivery;
import com.rabbitmq.client.GetResponse;
import com.rabbitmq.client.ShutdownSignalException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/** What ../scenarios.py says, with the Java client: Contract SCENARIO URL PREFIX [COUNT]. */
public final class Contract {
    private static final int[] SIZES = {0, 1, 131064, 131065, 262128, 1 << 20};
    private static final int IN_FLIGHT = 1000;
    private static final long PATIENCE = 95_000;
    private static final String PSEUDO_QUEUE = "amq.rabbitmq.reply-to";

    private final String url;
    private final String prefix;
    private final int count;

    private Contract(String url, String prefix, int count) {
        this.url = url;
        this.prefix = prefix;
        this.count = count;
    }

    /** A scenario on a connection of its own; what it returns is printed. */
    private interface Scenario {
        Map<String, Object> run(Connection connection) throws Exception;
    }

    private Map<String, Object> perform(String scenario) throws Exception {
        if (scenario.equals("refused")) {
            return refused();
        }
        Map<String, Scenario> scenarios = Map.ofEntries(
                Map.entry("topology", this::topology),
                Map.entry("confirms", this::confirms),
                Map.entry("mandatory", this::mandatory),
                Map.entry("prefetch", this::prefetch),
                Map.entry("requeue", this::requeue),
                Map.entry("dead_letters", this::deadLetters),
                Map.entry("values", this::values),
                Map.entry("bodies", this::bodies),
                Map.entry("cancelled", this::cancelled),
                Map.entry("channel_error", this::channelError),
                Map.entry("direct_reply", this::directReply),
                Map.entry("transactions", this::transactions),
                Map.entry("volume", this::volume),
                Map.entry("reconnect", this::reconnect));
        try (Connection connection = connect(null)) {
            return scenarios.get(scenario).run(connection);
        }
    }

    private Map<String, Object> topology(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String topic = name("topic"), fanout = name("fanout"), headers = name("headers");
        String queue = name("q"), matched = name("h");
        channel.exchangeDeclare(topic, "topic", true);
        channel.exchangeDeclare(fanout, "fanout", true);
        channel.exchangeDeclare(headers, "headers", true);
        channel.queueDeclare(queue, true, false, false, null);
        channel.queueDeclare(matched, true, false, false, null);
        channel.exchangeBind(fanout, topic, "a.#");
        channel.queueBind(queue, fanout, "");
        channel.queueBind(matched, headers, "", Map.of("x-match", "all", "kind", "order", "size", 3));
        channel.basicPublish(topic, "a.b", null, "1".getBytes());
        channel.basicPublish(topic, "b.a", null, "2".getBytes());
        channel.basicPublish(headers, "", with(Map.of("kind", "order", "size", 3)), "both".getBytes());
        channel.basicPublish(headers, "", with(Map.of("kind", "order")), "one".getBytes());
        List<Object> routed = new ArrayList<>(), bodies = new ArrayList<>();
        for (GetResponse each : everything(channel, queue)) {
            routed.add(List.of(each.getEnvelope().getRoutingKey(), each.getEnvelope().getExchange()));
        }
        for (GetResponse each : everything(channel, matched)) {
            bodies.add(new String(each.getBody()));
        }
        publish(channel, queue, "3");
        publish(channel, queue, "4");
        int purged = channel.queuePurge(queue).getMessageCount();
        publish(channel, queue, "5");
        int deleted = channel.queueDelete(queue).getMessageCount();
        channel.queueDelete(matched);
        for (String exchange : List.of(topic, fanout, headers)) {
            channel.exchangeDelete(exchange);
        }
        return Map.of("q", routed, "h", bodies, "purged", purged, "deleted", deleted);
    }

    private Map<String, Object> confirms(Connection connection) throws Exception {
        Channel channel = queue(connection);
        AtomicInteger confirmed = new AtomicInteger();
        AtomicInteger last = new AtomicInteger();
        channel.addConfirmListener(
                (tag, multiple) -> confirmed.addAndGet((int) tag - last.getAndSet((int) tag)),
                (tag, multiple) -> {});
        channel.confirmSelect();
        for (int number = 0; number < 200; number++) {
            publish(channel, name("q"), String.valueOf(number));
        }
        channel.waitForConfirmsOrDie(PATIENCE);
        long ready = channel.messageCount(name("q"));
        channel.queueDelete(name("q"));
        return Map.of("confirmed", confirmed.get(), "ready", ready);
    }

    private Map<String, Object> mandatory(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        CompletableFuture<Map<String, Object>> returned = new CompletableFuture<>();
        channel.addReturnListener(back -> returned.complete(Map.of(
                "code", back.getReplyCode(),
                "text", back.getReplyText(),
                "key", back.getRoutingKey(),
                "body", new String(back.getBody()))));
        channel.confirmSelect();
        channel.basicPublish("", name("nowhere"), true, null, "lost".getBytes());
        Map<String, Object> seen = new LinkedHashMap<>();
        seen.put("confirmed", channel.waitForConfirms(PATIENCE));
        seen.putAll(returned.get());
        return seen;
    }

    private Map<String, Object> prefetch(Connection connection) throws Exception {
        Channel other = queue(connection), channel = connection.createChannel();
        for (int number = 0; number < 10; number++) {
            publish(other, name("q"), String.valueOf(number));
        }
        channel.basicQos(3);
        Deliveries deliveries = new Deliveries(channel, name("q"), false);
        List<String> all = new ArrayList<>();
        Delivery delivery = null;
        while (all.size() < 3) {
            delivery = deliveries.next();
            all.add(Deliveries.text(delivery));
        }
        long ready = other.messageCount(name("q"));
        channel.basicAck(Deliveries.tag(delivery), true);
        while (all.size() < 10) {
            delivery = deliveries.next();
            all.add(Deliveries.text(delivery));
            channel.basicAck(Deliveries.tag(delivery), false);
        }
        channel.close();
        long left = other.messageCount(name("q"));
        other.queueDelete(name("q"));
        return Map.of("first", all.subList(0, 3), "ready", ready, "all", all, "left", left);
    }

    private Map<String, Object> requeue(Connection connection) throws Exception {
        Channel channel = queue(connection);
        publish(channel, name("q"), "m");
        Deliveries deliveries = new Deliveries(channel, name("q"), false);
        List<Boolean> redelivered = new ArrayList<>();
        for (int turn = 0; turn < 3; turn++) {
            Delivery delivery = deliveries.next();
            redelivered.add(delivery.getEnvelope().isRedeliver());
            if (turn == 0) {
                channel.basicNack(Deliveries.tag(delivery), false, true);
            } else {
                channel.basicReject(Deliveries.tag(delivery), turn == 1);
            }
        }
        long left = channel.messageCount(name("q"));
        channel.queueDelete(name("q"));
        return Map.of("redelivered", redelivered, "left", left);
    }

    private Map<String, Object> deadLetters(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String exchange = name("dlx"), dead = name("dead"), work = name("work");
        channel.exchangeDeclare(exchange, "fanout");
        channel.queueDeclare(dead, false, false, false, null);
        channel.queueBind(dead, exchange, "");
        Map<String, Object> arguments = Map.of("x-dead-letter-exchange", exchange);
        channel.queueDeclare(work, false, false, false, arguments);
        publish(channel, work, "job");
        channel.basicReject(Deliveries.tag(new Deliveries(channel, work, false).next()), false);
        Delivery letter = new Deliveries(channel, dead, true).next();
        Map<String, Object> headers = letter.getProperties().getHeaders();
        Map<?, ?> death = (Map<?, ?>) ((List<?>) headers.get("x-death")).get(0);
        channel.queueDelete(work);
        channel.queueDelete(dead);
        channel.exchangeDelete(exchange);
        return Map.of(
                "body", Deliveries.text(letter),
                "reason", death.get("reason"),
                "queue", death.get("queue"),
                "exchange", death.get("exchange"),
                "keys", death.get("routing-keys"),
                "count", death.get("count"),
                "first_reason", headers.get("x-first-death-reason"));
    }

    private Map<String, Object> values(Connection connection) throws Exception {
        Channel channel = queue(connection);
        channel.basicPublish("", name("q"), Values.PROPERTIES, "m".getBytes());
        AMQP.BasicProperties got = everything(channel, name("q")).get(0).getProps();
        channel.queueDelete(name("q"));
        return Values.shown(got);
    }

    private Map<String, Object> bodies(Connection connection) throws Exception {
        Channel channel = queue(connection);
        Deliveries deliveries = new Deliveries(channel, name("q"), true);
        List<Integer> sizes = new ArrayList<>();
        boolean intact = true;
        for (int size : SIZES) {
            byte[] body = new byte[size];
            for (int index = 0; index < size; index++) {
                body[index] = (byte) (index % 251);
            }
            channel.basicPublish("", name("q"), null, body);
            byte[] found = deliveries.next().getBody();
            sizes.add(found.length);
            intact = intact && Arrays.equals(found, body);
        }
        channel.queueDelete(name("q"));
        return Map.of("sizes", sizes, "intact", intact);
    }

    private Map<String, Object> cancelled(Connection connection) throws Exception {
        Channel channel = queue(connection);
        CompletableFuture<String> told = new CompletableFuture<>();
        channel.basicConsume(name("q"), false, "mine", (tag, delivery) -> {}, told::complete);
        connection.createChannel().queueDelete(name("q"));
        return Map.of("cancelled", told.get().equals("mine"));
    }

    private Map<String, Object> channelError(Connection connection) throws Exception {
        AMQP.Channel.Close reason = null;
        try {
            connection.createChannel().queueDeclarePassive(name("missing"));
        } catch (IOException error) {
            ShutdownSignalException signal = (ShutdownSignalException) error.getCause();
            reason = (AMQP.Channel.Close) signal.getReason();
        }
        String queue = connection.createChannel()
                .queueDeclare(name("q"), false, true, false, null)
                .getQueue();
        boolean alive = queue.equals(name("q"));
        return Map.of("code", reason.getReplyCode(), "text", reason.getReplyText(), "alive", alive);
    }

    private Map<String, Object> directReply(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String queue = name("rpc");
        channel.queueDeclare(queue, false, false, false, null);
        Deliveries replies = new Deliveries(channel, PSEUDO_QUEUE, true);
        AMQP.BasicProperties.Builder asking = new AMQP.BasicProperties.Builder();
        asking.replyTo(PSEUDO_QUEUE).correlationId("7");
        channel.basicPublish("", queue, asking.build(), "ping".getBytes());
        try (Connection responder = connect(null)) {
            Channel answering = responder.createChannel();
            Delivery asked = new Deliveries(answering, queue, true).next();
            AMQP.BasicProperties properties = asked.getProperties();
            AMQP.BasicProperties.Builder answer = new AMQP.BasicProperties.Builder();
            answer.correlationId(properties.getCorrelationId());
            byte[] body = (Deliveries.text(asked) + "!").getBytes();
            answering.basicPublish("", properties.getReplyTo(), answer.build(), body);
            Delivery reply = replies.next();
            channel.queueDelete(queue);
            return Map.of(
                    "reply", Deliveries.text(reply),
                    "correlation_id", reply.getProperties().getCorrelationId());
        }
    }

    private Map<String, Object> transactions(Connection connection) throws Exception {
        Channel channel = queue(connection);
        channel.txSelect();
        publish(channel, name("q"), "1");
        publish(channel, name("q"), "2");
        channel.txRollback();
        publish(channel, name("q"), "3");
        channel.txCommit();
        long ready = channel.messageCount(name("q"));
        channel.queueDelete(name("q"));
        return Map.of("ready", ready);
    }

    private Map<String, Object> refused() throws Exception {
        try (Connection connection = connect("wrong")) {
            return Map.of("refused", false);
        } catch (AuthenticationFailureException error) {
            return Map.of("refused", error.getMessage().contains("ACCESS_REFUSED"));
        }
    }

    private Map<String, Object> volume(Connection connection) throws Exception {
        Channel channel = queue(connection);
        channel.basicQos(500);
        Deliveries deliveries = new Deliveries(channel, name("q"), false);
        CompletableFuture<Void> published = CompletableFuture.runAsync(this::publishMany);
        boolean inOrder = true;
        for (int received = 1; received <= count; received++) {
            Delivery delivery = deliveries.next();
            inOrder = inOrder && Deliveries.text(delivery).equals(String.valueOf(received - 1));
            if (received % 100 == 0 || received == count) {
                channel.basicAck(Deliveries.tag(delivery), true);
            }
        }
        published.get();
        channel.queueDelete(name("q"));
        return Map.of("received", count, "in_order", inOrder);
    }

    private void publishMany() {
        try (Connection connection = connect(null)) {
            Channel channel = connection.createChannel();
            channel.confirmSelect();
            for (int number = 0; number < count; number++) {
                publish(channel, name("q"), String.valueOf(number));
                if ((number + 1) % IN_FLIGHT == 0) {
                    channel.waitForConfirmsOrDie(PATIENCE);
                }
            }
            channel.waitForConfirmsOrDie(PATIENCE);
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    /** The client connects again by itself, and restores channels, queues and consumers. */
    private Map<String, Object> reconnect(Connection connection) throws Exception {
        Channel channel = queue(connection);
        publish(channel, name("q"), "kept");
        Deliveries deliveries = new Deliveries(channel, name("q"), false);
        deliveries.next();
        System.out.println("consuming");
        Delivery delivery = deliveries.next();
        channel.basicAck(Deliveries.tag(delivery), false);
        channel.queueDelete(name("q"));
        boolean redelivered = delivery.getEnvelope().isRedeliver();
        return Map.of("body", Deliveries.text(delivery), "redelivered", redelivered);
    }

    // What several scenarios do.

    private String name(String what) {
        return prefix + "." + what;
    }

    private Connection connect(String password) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        // To this client a last slash means a virtual host without a name.
        factory.setUri(url.replaceAll("/$", ""));
        factory.setNetworkRecoveryInterval(100);
        if (password != null) {
            factory.setPassword(password);
        }
        return factory.newConnection();
    }

    /** A channel, on which the queue that most scenarios have is declared. */
    private Channel queue(Connection connection) throws IOException {
        Channel channel = connection.createChannel();
        channel.queueDeclare(name("q"), false, false, false, null);
        return channel;
    }

    private static AMQP.BasicProperties with(Map<String, Object> headers) {
        return new AMQP.BasicProperties.Builder().headers(headers).build();
    }

    private static void publish(Channel channel, String queue, String body) throws IOException {
        channel.basicPublish("", queue, null, body.getBytes());
    }

    private static List<GetResponse> everything(Channel channel, String queue) throws IOException {
        List<GetResponse> found = new ArrayList<>();
        for (GetResponse each; (each = channel.basicGet(queue, true)) != null; ) {
            found.add(each);
        }
        return found;
    }

    public static void main(String[] arguments) throws Exception {
        new Timer(true).schedule(new TimerTask() {
            @Override
            public void run() {
                System.err.println(arguments[0] + " did not end in time");
                Runtime.getRuntime().halt(1);
            }
        }, PATIENCE);
        int count = arguments.length > 3 ? Integer.parseInt(arguments[3]) : 0;
        Contract contract = new Contract(arguments[1], arguments[2], count);
        System.out.println(Json.of(contract.perform(arguments[0])));
    }
}
