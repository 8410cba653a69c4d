package buddy.engine;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonInclude.Include;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.kestra.core.models.executions.Execution;
import io.kestra.core.models.executions.LogEntry;
import io.kestra.core.models.executions.TaskRun;
import io.kestra.core.models.flows.Flow;
import io.kestra.core.models.triggers.TriggerId;
import io.kestra.core.queues.DispatchQueueInterface;
import io.kestra.core.repositories.ExecutionRepositoryInterface;
import io.kestra.core.repositories.FlowRepositoryInterface;
import io.kestra.core.repositories.LocalFlowRepositoryLoader;
import io.kestra.core.repositories.LogDataStoreInterface;
import io.kestra.core.repositories.MetricRepositoryInterface;
import io.kestra.core.runners.FlowInputOutput;
import io.kestra.core.runners.TestRunnerUtils;
import io.kestra.core.runners.pebble.PebbleEngineFactory;
import io.kestra.core.models.validations.ModelValidator;
import io.kestra.core.serializers.JacksonMapper;
import io.kestra.core.serializers.YamlParser;
import io.kestra.core.services.ExecutionOutputService;
import io.kestra.core.services.ExecutionService;
import io.kestra.core.services.FlowService;
import io.kestra.core.services.KVStoreService;
import io.kestra.core.services.TaskOutputService;
import io.kestra.core.storages.NamespaceFactory;
import io.kestra.core.storages.StorageInterface;
import io.kestra.core.storages.kv.KVEntry;
import io.kestra.core.storages.kv.KVMetadata;
import io.kestra.core.storages.kv.KVValue;
import io.kestra.core.storages.kv.KVValueAndMetadata;
import io.micronaut.context.ApplicationContext;
import io.micronaut.core.type.Argument;
import io.micronaut.data.model.Pageable;
import io.pebbletemplates.pebble.PebbleEngine;
import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.slf4j.event.Level;

/** What the tests ask of the engine; each public method is called by its name with the members of a JSON object. */
final class Operations {
    static final String TENANT = "main";
    /** Kestra's, which knows all its types, but with what is null. */
    static final ObjectMapper JSON = JacksonMapper.ofJson(false)
            .copy()
            .setDefaultPropertyInclusion(JsonInclude.Value.construct(Include.ALWAYS, Include.ALWAYS));

    private final ApplicationContext context;
    private final Configuration configuration;
    private final Scheduling scheduling;
    private final DispatchQueueInterface<Execution> executionQueue;
    private final PebbleEngine pebble;

    @SuppressWarnings("unchecked")
    Operations(ApplicationContext context, Configuration configuration, Scheduling scheduling) {
        this.context = context;
        this.configuration = configuration;
        this.scheduling = scheduling;
        this.executionQueue = (DispatchQueueInterface<Execution>)
                context.getBean(Argument.of(DispatchQueueInterface.class, Execution.class));
        this.pebble = context.getBean(PebbleEngineFactory.class).create();
    }

    Object call(String operation, Map<String, Object> given) throws Exception {
        Asked asked = new Asked(given);
        return switch (operation) {
            case "validate" -> validate(asked.text("source"));
            case "load" -> load(asked.text("folder"));
            case "start" -> start(asked);
            case "execution" -> describe(await(asked.text("id"), asked.seconds("timeout_s", 0)));
            case "executions" -> executions(asked.text("namespace"), asked.text("flow"));
            case "logs" -> logs(asked.text("id"));
            case "metrics" -> metrics(asked.text("id"));
            case "kill" -> kill(asked.text("id"));
            case "kv_set" -> kvSet(asked.text("namespace"), asked.text("key"), given.get("value"));
            case "kv_get" -> kvGet(asked.text("namespace"), asked.text("key"));
            case "kv_keys" -> kvKeys(asked.text("namespace"));
            case "file" -> file(asked.text("namespace"), asked.text("uri"));
            case "put_namespace_file" ->
                putNamespaceFile(asked.text("namespace"), asked.text("path"), asked.text("content"));
            case "search" -> search(asked.texts("texts"));
            case "set_clock" -> setClock(asked.text("instant"));
            case "advance_clock" -> advanceClock(asked.seconds("seconds", 0));
            case "start_scheduler" -> done(scheduling::start);
            case "stop_scheduler" -> done(scheduling::stop);
            case "triggers" -> scheduling.triggers(TENANT);
            case "backfill" -> done(() -> scheduling.backfill(
                    TriggerId.of(TENANT, asked.text("namespace"), asked.text("flow"), asked.text("trigger")),
                    ZonedDateTime.parse(asked.text("start")),
                    ZonedDateTime.parse(asked.text("end"))));
            default -> throw new IllegalArgumentException("no operation " + operation);
        };
    }

    /** The members of a call. */
    record Asked(Map<String, Object> given) {
        String text(String name) {
            Object value = given.get(name);
            return value == null ? null : value.toString();
        }

        double seconds(String name, double otherwise) {
            return given.get(name) instanceof Number number ? number.doubleValue() : otherwise;
        }

        List<String> texts(String name) {
            return given.get(name) instanceof List<?> list ? list.stream().map(Object::toString).toList() : List.of();
        }

        @SuppressWarnings("unchecked")
        <V> Map<String, V> map(String name) {
            return given.get(name) instanceof Map<?, ?> map ? (Map<String, V>) map : Map.of();
        }
    }

    <B> B bean(Class<B> type) {
        return context.getBean(type);
    }

    Flow flow(String namespace, String id) {
        return bean(FlowRepositoryInterface.class)
                .findById(TENANT, namespace, id, Optional.empty())
                .orElseThrow(() -> new IllegalArgumentException("no flow " + namespace + "." + id));
    }

    // Flows

    /** What the engine says of a flow's source; it does not look into expressions itself before they are rendered. */
    Map<String, Object> validate(String source) {
        List<String> errors = new ArrayList<>();
        List<String> warnings = new ArrayList<>();
        try {
            Flow flow = YamlParser.parse(source, Flow.class);
            bean(ModelValidator.class).isValid(flow).ifPresent(violations -> violations
                    .getConstraintViolations()
                    .forEach(one -> errors.add(one.getPropertyPath() + ": " + one.getMessage())));
            FlowService flows = bean(FlowService.class);
            warnings.addAll(flows.warnings(flow, TENANT));
            flows.deprecationPaths(flow).forEach(path -> warnings.add("deprecated: " + path));
            compileExpressions("", JacksonMapper.ofYaml().readValue(source, Object.class), errors);
        } catch (Exception problem) {
            errors.add(String.valueOf(problem.getMessage()));
        }
        return Map.of("errors", errors, "warnings", warnings);
    }

    private void compileExpressions(String path, Object value, List<String> errors) {
        switch (value) {
            case Map<?, ?> map -> map.forEach((key, item) -> compileExpressions(path + "." + key, item, errors));
            case List<?> list -> list.forEach(item -> compileExpressions(path + "[]", item, errors));
            case String text when text.contains("{{") || text.contains("{%") -> {
                try {
                    pebble.getLiteralTemplate(text);
                } catch (Exception problem) {
                    errors.add(path + ": " + problem.getMessage());
                }
            }
            case null, default -> {}
        }
    }

    /** All flows of a folder and those below it; the engine leaves out without a word what it cannot read. */
    private List<String> load(String folder) throws IOException {
        return bean(LocalFlowRepositoryLoader.class).load(TENANT, new File(folder)).stream()
                .map(flow -> flow.getNamespace() + "." + flow.getId())
                .sorted()
                .toList();
    }

    // Executions

    private String start(Asked asked) throws Exception {
        Map<String, Object> inputs = new HashMap<>(asked.map("inputs"));
        Map<String, String> files = asked.map("files");
        Execution execution = Execution.newExecution(
                flow(asked.text("namespace"), asked.text("flow")),
                (flow, unborn) -> {
                    files.forEach((input, path) -> inputs.put(input, store(unborn, input, new File(path))));
                    return bean(FlowInputOutput.class).readExecutionInputs(flow, unborn, inputs);
                },
                List.of(),
                Optional.empty());
        executionQueue.emit(execution);
        return execution.getId();
    }

    private String store(Execution execution, String input, File file) {
        try {
            return bean(StorageInterface.class)
                    .from(execution, input, file.getName(), file)
                    .toString();
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
    }

    /** The execution once it has ended, or as it is when the time is over. */
    Execution await(String id, double timeoutSeconds) throws Exception {
        long begin = System.nanoTime();
        long end = begin + (long) (timeoutSeconds * TimeUnit.SECONDS.toNanos(1));
        while (true) {
            Execution execution = bean(ExecutionRepositoryInterface.class)
                    .findById(TENANT, id)
                    .orElse(null);
            if (execution != null && isTerminated(execution) || System.nanoTime() >= end) {
                return execution;
            }
            // Reading one takes a millisecond of a processor, so the pauses grow with the wait.
            Thread.sleep(Math.clamp(TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begin) / 10, 10, 250));
        }
    }

    private boolean isTerminated(Execution execution) {
        return bean(ExecutionService.class)
                .isTerminated(flow(execution.getNamespace(), execution.getFlowId()), execution);
    }

    private Map<String, Object> describe(Execution execution) throws Exception {
        if (execution == null) {
            return null;
        }
        Map<String, Object> told = new LinkedHashMap<>();
        told.put("id", execution.getId());
        told.put("namespace", execution.getNamespace());
        told.put("flow", execution.getFlowId());
        told.put("state", execution.getState().getCurrent());
        told.put("is_terminated", isTerminated(execution));
        told.put("started_at", execution.getState().getStartDate().toString());
        told.put("inputs", execution.getInputs());
        told.put("labels", execution.getLabels().stream().map(label -> label.key() + ": " + label.value()).toList());
        told.put("trigger", execution.getTrigger() == null ? null : execution.getTrigger().getVariables());
        told.put("outputs", bean(ExecutionOutputService.class).getOutputs(execution));
        List<Map<String, Object>> tasks = new ArrayList<>();
        for (TaskRun run : Optional.ofNullable(execution.getTaskRunList()).orElse(List.of())) {
            Map<String, Object> task = new LinkedHashMap<>();
            task.put("id", run.getTaskId());
            task.put("state", run.getState().getCurrent());
            task.put("attempts", run.getAttempts() == null ? 0 : run.getAttempts().size());
            task.put("value", run.getValue());
            task.put("outputs", bean(TaskOutputService.class).getOutputs(run));
            tasks.add(task);
        }
        told.put("tasks", tasks);
        return told;
    }

    /** All executions of a flow, first to last. */
    private List<Object> executions(String namespace, String flow) throws Exception {
        List<Execution> found =
                bean(ExecutionRepositoryInterface.class)
                        .findByFlowId(TENANT, namespace, flow, Pageable.UNPAGED)
                        .stream()
                .sorted(Comparator.comparing(one -> one.getState().getStartDate()))
                .toList();
        List<Object> told = new ArrayList<>();
        for (Execution execution : found) {
            told.add(describe(execution));
        }
        return told;
    }

    private List<Map<String, Object>> logs(String executionId) {
        return logLines(executionId, null).stream()
                .<Map<String, Object>>map(line -> {
                    Map<String, Object> told = new LinkedHashMap<>();
                    told.put("task", line.getTaskId());
                    told.put("level", line.getLevel().toString());
                    told.put("message", line.getMessage());
                    return told;
                })
                .toList();
    }

    /** The lines of a log by their time; as on the server, lines of one time come in any order. */
    List<LogEntry> logLines(String executionId, Level level) {
        List<LogEntry> lines = new ArrayList<>(
                bean(LogDataStoreInterface.class).findByExecutionId(TENANT, executionId, level));
        Collections.shuffle(lines);
        lines.sort(Comparator.comparing(LogEntry::getTimestamp));
        return lines;
    }

    private List<Map<String, Object>> metrics(String executionId) {
        return bean(MetricRepositoryInterface.class)
                .findByExecutionId(TENANT, executionId, Pageable.UNPAGED)
                .stream()
                .<Map<String, Object>>map(metric -> {
                    Map<String, Object> told = new LinkedHashMap<>();
                    told.put("task", metric.getTaskId());
                    told.put("name", metric.getName());
                    told.put("type", metric.getType());
                    told.put("value", metric.getValue());
                    told.put("tags", metric.getTags());
                    return told;
                })
                .toList();
    }

    private Object kill(String id) throws Exception {
        Execution execution = bean(ExecutionRepositoryInterface.class).findById(TENANT, id).orElseThrow();
        return describe(bean(TestRunnerUtils.class).killExecution(execution));
    }

    // What the engine keeps

    private Object kvSet(String namespace, String key, Object value) throws Exception {
        KVMetadata metadata = new KVMetadata(null, (Duration) null);
        bean(KVStoreService.class).get(TENANT, namespace).put(key, new KVValueAndMetadata(metadata, value));
        return null;
    }

    private Object kvGet(String namespace, String key) throws Exception {
        return bean(KVStoreService.class).get(TENANT, namespace).getValue(key).map(KVValue::value).orElse(null);
    }

    private List<String> kvKeys(String namespace) throws Exception {
        return bean(KVStoreService.class).get(TENANT, namespace).list().stream().map(KVEntry::key).sorted().toList();
    }

    private String file(String namespace, String uri) throws IOException {
        try (InputStream content = bean(StorageInterface.class).get(TENANT, namespace, URI.create(uri))) {
            return Base64.getEncoder().encodeToString(content.readAllBytes());
        }
    }

    private Object putNamespaceFile(String namespace, String path, String content) throws Exception {
        bean(NamespaceFactory.class)
                .of(TENANT, namespace, bean(StorageInterface.class))
                .putFile(Path.of(path), new ByteArrayInputStream(Base64.getDecoder().decode(content)));
        return null;
    }

    /** Every place in which the engine keeps each text: columns of its database and files of its storage. */
    private Map<String, Set<String>> search(List<String> texts) throws IOException, SQLException {
        Map<String, Set<String>> places = new TreeMap<>();
        texts.forEach(text -> places.put(text, new TreeSet<>()));
        try (Connection database = DriverManager.getConnection(configuration.databaseUrl(), "sa", "");
                Statement statement = database.createStatement()) {
            for (String table : tables(statement)) {
                try (ResultSet rows = statement.executeQuery("select * from " + table)) {
                    while (rows.next()) {
                        for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
                            Object value = rows.getObject(i);
                            String content = value instanceof byte[] bytes
                                    ? new String(bytes, StandardCharsets.UTF_8)
                                    : rows.getString(i);
                            if (content != null) {
                                String place = table + "." + rows.getMetaData().getColumnName(i);
                                addWhereFound(places, content, place);
                            }
                        }
                    }
                }
            }
        }
        if (Files.exists(configuration.storage())) {
            try (Stream<Path> paths = Files.walk(configuration.storage())) {
                for (Path path : paths.filter(Files::isRegularFile).toList()) {
                    String content = new String(Files.readAllBytes(path), StandardCharsets.UTF_8);
                    addWhereFound(places, content, configuration.storage().relativize(path).toString());
                }
            }
        }
        return places;
    }

    private static void addWhereFound(Map<String, Set<String>> places, String content, String place) {
        places.forEach((text, found) -> {
            if (content.contains(text)) {
                found.add(place);
            }
        });
    }

    private static List<String> tables(Statement statement) throws SQLException {
        List<String> tables = new ArrayList<>();
        String all = "select table_schema || '.\"' || table_name || '\"' from information_schema.tables"
                + " where table_type = 'BASE TABLE'";
        try (ResultSet rows = statement.executeQuery(all)) {
            while (rows.next()) {
                tables.add(rows.getString(1));
            }
        }
        return tables;
    }

    // Time

    private String setClock(String instant) {
        Scheduling.CLOCK.set(Instant.parse(instant));
        return Scheduling.CLOCK.instant().toString();
    }

    private String advanceClock(double seconds) {
        Scheduling.CLOCK.advance(Duration.ofMillis((long) (seconds * 1000)));
        return Scheduling.CLOCK.instant().toString();
    }

    private static Object done(Runnable action) {
        action.run();
        return null;
    }
}
