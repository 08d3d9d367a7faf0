import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Delivery;
import java.io.IOException;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/** Deliveries as they come, one after the other. */
final class Deliveries {
    private static final int PATIENCE = 60;
    private final BlockingQueue<Delivery> come = new LinkedBlockingQueue<>();

    Deliveries(Channel channel, String queue, boolean autoAck) throws IOException {
        channel.basicConsume(queue, autoAck, (tag, delivery) -> come.add(delivery), tag -> {});
    }

    Delivery next() throws InterruptedException {
        Delivery delivery = come.poll(PATIENCE, TimeUnit.SECONDS);
        if (delivery == null) {
            throw new IllegalStateException("no delivery came");
        }
        return delivery;
    }

    static String text(Delivery delivery) {
        return new String(delivery.getBody());
    }

    static long tag(Delivery delivery) {
        return delivery.getEnvelope().getDeliveryTag();
    }
}
