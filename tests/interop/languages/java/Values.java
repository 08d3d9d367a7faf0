import com.rabbitmq.client.AMQP;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A message with a value for each property, and a header of each kind. */
final class Values {
    static final AMQP.BasicProperties PROPERTIES = new AMQP.BasicProperties.Builder()
            .headers(headers())
            .contentType("application/json")
            .contentEncoding("utf-8")
            .deliveryMode(2)
            .priority(5)
            .correlationId("c-1")
            .replyTo("r")
            .expiration("60000")
            .messageId("m-1")
            .timestamp(new Date(1_700_000_000_000L))
            .type("t")
            .userId("guest")
            .appId("app")
            .build();

    private Values() {}

    private static Map<String, Object> headers() {
        Map<String, Object> headers = new HashMap<>();
        headers.put("bool", true);
        headers.put("int", 7);
        headers.put("long", 1L << 40);
        headers.put("negative", -5);
        headers.put("double", 1.5);
        headers.put("text", "grüße");
        headers.put("list", List.of(1, "two"));
        headers.put("table", Map.of("inner", Map.of("deep", 3)));
        headers.put("null", null);
        return headers;
    }

    static Map<String, Object> shown(AMQP.BasicProperties properties) {
        Map<String, Object> seen = new HashMap<>();
        seen.put("headers", properties.getHeaders());
        seen.put("content_type", properties.getContentType());
        seen.put("content_encoding", properties.getContentEncoding());
        seen.put("delivery_mode", properties.getDeliveryMode());
        seen.put("priority", properties.getPriority());
        seen.put("correlation_id", properties.getCorrelationId());
        seen.put("reply_to", properties.getReplyTo());
        seen.put("expiration", properties.getExpiration());
        seen.put("message_id", properties.getMessageId());
        seen.put("timestamp", properties.getTimestamp().getTime() / 1000);
        seen.put("type", properties.getType());
        seen.put("user_id", properties.getUserId());
        seen.put("app_id", properties.getAppId());
        return seen;
    }
}
