package buddy.engine;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import io.kestra.core.models.flows.Flow;
import io.kestra.core.models.flows.FlowSource;
import io.kestra.core.models.flows.FlowWithSource;
import io.kestra.core.models.triggers.TriggerId;
import io.kestra.core.repositories.FlowRepositoryInterface;
import io.kestra.core.repositories.TriggerRepositoryInterface;
import io.kestra.core.scheduler.events.SetDisableTrigger;
import io.kestra.core.scheduler.model.TriggerState;
import io.kestra.core.scheduler.queue.TriggerEventQueue;
import io.kestra.core.services.FlowService;
import io.kestra.core.storages.FileAttributes;
import io.kestra.core.storages.Namespace;
import io.kestra.core.storages.NamespaceFactory;
import io.kestra.core.storages.NamespaceFile;
import io.kestra.core.storages.StorageInterface;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.slf4j.event.Level;

/**
 * The paths of the server's documented API that the project calls, on the real engine's own services. The server itself
 * cannot be had here: what a request may look like is therefore as documented, not as proven by it.
 */
final class ServerFront implements HttpHandler {
    static final String PATH = "/api/v1/main/";
    private static final String YAML = "application/x-yaml";
    private static final String LEVEL = "filters[level][GREATER_THAN_OR_EQUAL_TO]";
    private static final String NAMESPACE = "filters[namespace][STARTS_WITH]";

    private final Operations engine;
    private final String login;

    ServerFront(Operations engine) {
        this.engine = engine;
        String username = secret("KESTRA_USERNAME");
        this.login = username == null
                ? null
                : "Basic "
                        + Base64.getEncoder()
                                .encodeToString((username + ":" + secret("KESTRA_PASSWORD"))
                                        .getBytes(StandardCharsets.UTF_8));
    }

    private static String secret(String name) {
        String encoded = System.getenv("SECRET_" + name);
        return encoded == null ? null : new String(Base64.getDecoder().decode(encoded), StandardCharsets.UTF_8);
    }

    private record Request(HttpExchange exchange, List<String> path, Map<String, String> query, byte[] body) {
        String text() {
            return new String(body, StandardCharsets.UTF_8);
        }

        boolean is(String method, String... expected) {
            return exchange.getRequestMethod().equals(method)
                    && path.size() == expected.length
                    && IntStream.range(0, expected.length)
                            .allMatch(i -> expected[i] == null || expected[i].equals(path.get(i)));
        }

        /** The query, which may have only these parameters: the real server ignores others, which hides mistakes. */
        Map<String, String> only(String... names) {
            if (!Set.of(names).containsAll(query.keySet())) {
                throw new IllegalArgumentException(
                        "expected the parameters " + List.of(names) + ", found " + query.keySet());
            }
            return query;
        }

        boolean isYaml() {
            return YAML.equals(exchange.getRequestHeaders().getFirst("Content-Type"));
        }
    }

    private record Answer(int status, Object content) {
        static Answer problem(int status, String message) {
            return new Answer(status, Map.of("message", message));
        }
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        Answer answer;
        if (login != null && !login.equals(exchange.getRequestHeaders().getFirst("Authorization"))) {
            answer = Answer.problem(401, "Unauthorized");
        } else {
            try {
                answer = answer(read(exchange));
            } catch (Exception problem) {
                problem.printStackTrace();
                answer = Answer.problem(422, String.valueOf(problem.getMessage()));
            }
        }
        byte[] content = switch (answer.content()) {
            case null -> new byte[0];
            case byte[] bytes -> bytes;
            case Object other -> Operations.JSON.writeValueAsBytes(other);
        };
        Main.reply(exchange, answer.status(), content);
    }

    private static Request read(HttpExchange exchange) throws IOException {
        List<String> path = Arrays.stream(exchange.getRequestURI().getRawPath().substring(PATH.length()).split("/"))
                .map(ServerFront::decode)
                .toList();
        String query = Optional.ofNullable(exchange.getRequestURI().getRawQuery()).orElse("");
        Map<String, String> parameters = Arrays.stream(query.split("&"))
                .filter(part -> part.contains("="))
                .map(part -> part.split("=", 2))
                .collect(Collectors.toMap(part -> decode(part[0]), part -> decode(part[1])));
        return new Request(exchange, path, parameters, exchange.getRequestBody().readAllBytes());
    }

    private static String decode(String text) {
        return URLDecoder.decode(text, StandardCharsets.UTF_8);
    }

    private Answer answer(Request request) throws Exception {
        List<String> path = request.path();
        if (request.is("GET", "logs", null)) {
            Level level = Level.valueOf(request.only(LEVEL).getOrDefault(LEVEL, "TRACE"));
            return new Answer(200, engine.logLines(path.get(1), level));
        }
        if (request.is("POST", "flows", "validate") && request.isYaml()) {
            return new Answer(200, flows().validate(Operations.TENANT, List.of(new FlowSource("flow", request.text()))));
        }
        if (request.is("GET", "flows", "search")) {
            return search(request.only(NAMESPACE, "size", "page", "sort"));
        }
        if (request.is("POST", "flows") && request.isYaml()) {
            return new Answer(200, flows().importFlow(Operations.TENANT, request.text()));
        }
        if (request.is("GET", "triggers", "search")) {
            return searchTriggers(request.only(NAMESPACE, "size", "page", "sort"));
        }
        if (request.is("POST", "triggers", "set-disabled", "by-triggers")) {
            return setDisabled(Operations.JSON.readTree(request.text()));
        }
        if (path.size() == 3 && path.get(0).equals("flows")) {
            return flow(request, path.get(1), path.get(2));
        }
        if (path.size() >= 3 && path.get(0).equals("namespaces") && path.get(2).equals("files")) {
            return files(request, path.get(1));
        }
        return Answer.problem(404, "Not Found: " + request.exchange().getRequestURI());
    }

    private FlowService flows() {
        return engine.bean(FlowService.class);
    }

    /** Return a page of the flows whose namespace begins as the filter says, by id. */
    private Answer search(Map<String, String> query) {
        return page(query, engine.bean(FlowRepositoryInterface.class).findAll(Operations.TENANT).stream()
                .filter(flow -> flow.getNamespace().startsWith(query.getOrDefault(NAMESPACE, "")))
                .sorted(Comparator.comparing(Flow::getId))
                .toList());
    }

    private static Answer page(Map<String, String> query, List<?> all) {
        int size = Integer.parseInt(query.getOrDefault("size", "10"));
        int page = Integer.parseInt(query.getOrDefault("page", "1"));
        List<?> shown = all.stream().skip((long) (page - 1) * size).limit(size).toList();
        return new Answer(200, new TreeMap<>(Map.of("results", shown, "total", all.size())));
    }

    /** Return a page of the triggers that the scheduler has a state of, each with its source, by id. */
    private Answer searchTriggers(Map<String, String> query) {
        List<Map<String, Object>> found = new ArrayList<>();
        for (TriggerState state :
                engine.bean(TriggerRepositoryInterface.class).findAll(Operations.TENANT).stream()
                        .filter(one -> one.getNamespace().startsWith(query.getOrDefault(NAMESPACE, "")))
                        .sorted(Comparator.comparing(TriggerState::getTriggerId))
                        .toList()) {
            engine.bean(FlowRepositoryInterface.class)
                    .findById(Operations.TENANT, state.getNamespace(), state.getFlowId())
                    .flatMap(flow -> Optional.ofNullable(flow.getTriggers()).orElse(List.of()).stream()
                            .filter(trigger -> trigger.getId().equals(state.getTriggerId()))
                            .findFirst())
                    .ifPresent(trigger -> found.add(Map.of("trigger", trigger, "state", state)));
        }
        return page(query, found);
    }

    /** Ask the scheduler to enable or disable triggers; as on the server, it does so shortly after. */
    private Answer setDisabled(JsonNode asked) {
        for (JsonNode one : asked.get("triggers")) {
            TriggerId id = TriggerId.of(
                    Operations.TENANT,
                    one.get("namespace").asText(),
                    one.get("flowId").asText(),
                    one.get("triggerId").asText());
            engine.bean(TriggerEventQueue.class)
                    .send(new SetDisableTrigger(id, asked.get("disabled").asBoolean()));
        }
        return new Answer(202, Map.of("operationId", "1", "totalItems", asked.get("triggers").size()));
    }

    private Answer flow(Request request, String namespace, String id) throws Exception {
        Optional<FlowWithSource> found = engine.bean(FlowRepositoryInterface.class)
                .findByIdWithSource(Operations.TENANT, namespace, id);
        if (found.isEmpty()) {
            return Answer.problem(404, "Not Found");
        }
        return switch (request.exchange().getRequestMethod()) {
            case "GET" -> new Answer(200, found.get());
            case "PUT" -> request.isYaml()
                    ? new Answer(200, flows().importFlow(Operations.TENANT, request.text()))
                    : Answer.problem(415, "expected " + YAML);
            case "DELETE" -> {
                flows().delete(found.get());
                yield new Answer(204, null);
            }
            default -> Answer.problem(405, "Method Not Allowed");
        };
    }

    private Answer files(Request request, String name) throws Exception {
        Namespace namespace = engine.bean(NamespaceFactory.class)
                .of(Operations.TENANT, name, engine.bean(StorageInterface.class));
        String asked = request.only("path").getOrDefault("path", "/");
        Path path = Path.of(asked.replaceFirst("^/", ""));
        if (request.is("GET", "namespaces", name, "files", "directory")) {
            return new Answer(200, directory(namespace, asked));
        }
        return switch (request.exchange().getRequestMethod()) {
            case "GET" -> namespace.exists(path)
                    ? new Answer(200, namespace.getFileContent(path).readAllBytes())
                    : Answer.problem(404, "Not Found");
            case "POST" -> {
                namespace.putFile(path, new ByteArrayInputStream(onlyPart(request)), Namespace.Conflicts.OVERWRITE);
                yield new Answer(200, null);
            }
            case "DELETE" -> {
                namespace.delete(path);
                yield new Answer(204, null);
            }
            default -> Answer.problem(405, "Method Not Allowed");
        };
    }

    /** What stands directly in a folder, as the server tells it. */
    private static List<Map<String, Object>> directory(Namespace namespace, String folder) throws IOException {
        String prefix = folder.endsWith("/") ? folder : folder + "/";
        TreeSet<String> folders = new TreeSet<>();
        List<Map<String, Object>> entries = new ArrayList<>();
        for (NamespaceFile file : namespace.all()) {
            String path = "/" + file.path().replaceFirst("^/", "");
            if (!file.isDirectory() && path.startsWith(prefix)) {
                String rest = path.substring(prefix.length());
                int slash = rest.indexOf('/');
                if (slash < 0) {
                    entries.add(Map.of("fileName", rest, "type", FileAttributes.FileType.File));
                } else if (folders.add(rest.substring(0, slash))) {
                    entries.add(Map.of(
                            "fileName", rest.substring(0, slash), "type", FileAttributes.FileType.Directory));
                }
            }
        }
        return entries;
    }

    /** The content of the one part of a multipart body, which has to be called fileContent. */
    private static byte[] onlyPart(Request request) {
        String type = Optional.ofNullable(request.exchange().getRequestHeaders().getFirst("Content-Type")).orElse("");
        String[] boundary = type.split("boundary=", 2);
        // Latin 1 keeps every byte as it is.
        String body = new String(request.body(), StandardCharsets.ISO_8859_1);
        int head = body.indexOf("\r\n\r\n");
        if (boundary.length != 2 || head < 0 || !body.substring(0, head).contains("name=\"fileContent\"")) {
            throw new IllegalArgumentException("expected multipart/form-data with the part fileContent, found " + type);
        }
        int end = body.lastIndexOf("\r\n--" + boundary[1]);
        return body.substring(head + 4, end).getBytes(StandardCharsets.ISO_8859_1);
    }
}
