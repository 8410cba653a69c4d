package buddy.engine;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import io.kestra.core.http.HttpRequest;
import io.kestra.core.http.HttpResponse;
import io.kestra.core.models.executions.Execution;
import io.kestra.core.models.flows.Flow;
import io.kestra.core.models.flows.State;
import io.kestra.core.runners.RunContextFactory;
import io.kestra.core.services.WebhookService;
import io.kestra.core.utils.IdUtils;
import io.kestra.plugin.core.trigger.AbstractWebhookTrigger;
import io.kestra.plugin.core.trigger.WebhookContext;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URI;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * The server's path of webhooks, <code>/api/v1/main/executions/webhook/{namespace}/{flow}/{key}</code>, before the
 * engine's real triggers; it does what Kestra's server does before it hands a request to a trigger.
 */
final class WebhookFront implements HttpHandler {
    static final String PATH = "/api/v1/main/executions/webhook/";

    private final Operations engine;

    WebhookFront(Operations engine) {
        this.engine = engine;
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        String[] path = exchange.getRequestURI().getPath().substring(PATH.length()).split("/", 3);
        byte[] body = exchange.getRequestBody().readAllBytes();
        try {
            Flow flow = path.length == 3 ? engine.flow(path[0], path[1]) : null;
            AbstractWebhookTrigger trigger = flow == null ? null : trigger(flow, path[2]);
            if (trigger == null) {
                Main.reply(exchange, 404, "{\"message\": \"no such webhook\"}".getBytes(StandardCharsets.UTF_8));
                return;
            }
            HttpResponse<?> response = evaluate(exchange, body, flow, trigger);
            byte[] content = switch (response.getBody()) {
                case null -> new byte[0];
                case String text -> text.getBytes(StandardCharsets.UTF_8);
                case Object other -> Operations.JSON.writeValueAsBytes(other);
            };
            Main.reply(exchange, response.getStatus().getCode(), content);
        } catch (IllegalArgumentException unknownFlow) {
            Main.reply(exchange, 404, "{\"message\": \"no such flow\"}".getBytes(StandardCharsets.UTF_8));
        } catch (Exception problem) {
            problem.printStackTrace();
            Main.reply(exchange, 500, "{\"message\": \"see the engine's errors\"}".getBytes(StandardCharsets.UTF_8));
        }
    }

    /** The flow's trigger that has this key, None of them if it has no such. */
    private AbstractWebhookTrigger trigger(Flow flow, String key) throws Exception {
        for (var trigger : Optional.ofNullable(flow.getTriggers()).orElse(List.of())) {
            if (trigger instanceof AbstractWebhookTrigger webhook && !webhook.isDisabled()) {
                String expected = engine.bean(RunContextFactory.class).of(flow, webhook).render(webhook.getKey());
                if (expected.equals(URLDecoder.decode(key, StandardCharsets.UTF_8))) {
                    return webhook;
                }
            }
        }
        return null;
    }

    private HttpResponse<?> evaluate(HttpExchange exchange, byte[] body, Flow flow, AbstractWebhookTrigger trigger)
            throws Exception {
        String id = IdUtils.create();
        HttpRequest.RequestBody requestBody = null;
        URI stored = null;
        if (body.length > 0) {
            switch (trigger.getFetchType()) {
                case FETCH -> requestBody = requestBody(exchange, body);
                case STORE -> stored = store(flow, id, body);
                case NONE -> {}
            }
        }
        Map<String, List<String>> headers = new HashMap<>();
        exchange.getRequestHeaders().forEach((name, values) -> headers.put(name.toLowerCase(Locale.ROOT), values));
        WebhookContext context = WebhookContext.builder()
                .request(HttpRequest.of(
                        exchange.getRequestURI(), exchange.getRequestMethod(), requestBody, headers))
                .flow(flow)
                .trigger(trigger)
                .webhookService(engine.bean(WebhookService.class))
                .executionId(id)
                .storedBodyUri(stored)
                .build();
        return trigger.evaluate(context).block(Duration.ofMinutes(2));
    }

    private static HttpRequest.RequestBody requestBody(HttpExchange exchange, byte[] body) {
        String stated = Optional.ofNullable(exchange.getRequestHeaders().getFirst("Content-Type")).orElse("text/plain");
        String type = stated.split(";")[0].trim().toLowerCase(Locale.ROOT);
        boolean isText = type.startsWith("text/")
                || type.equals("application/x-www-form-urlencoded")
                || List.of("json", "xml", "yaml", "csv").stream().anyMatch(type::contains);
        return isText
                ? HttpRequest.StringRequestBody.builder()
                        .contentType(type)
                        .charset(StandardCharsets.UTF_8)
                        .content(new String(body, StandardCharsets.UTF_8))
                        .build()
                : HttpRequest.ByteArrayRequestBody.builder().contentType(type).content(body).build();
    }

    private URI store(Flow flow, String id, byte[] body) throws IOException {
        Execution unborn = Execution.builder()
                .id(id)
                .tenantId(Operations.TENANT)
                .namespace(flow.getNamespace())
                .flowId(flow.getId())
                .flowRevision(flow.getRevision())
                .state(new State())
                .build();
        return engine.bean(RunContextFactory.class)
                .of(flow, unborn)
                .storage()
                .putFile(new ByteArrayInputStream(body), "body");
    }
}
