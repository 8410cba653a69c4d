package io.kestra.plugin.dbt.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.kestra.core.models.annotations.Plugin;
import io.kestra.core.models.executions.TaskRun;
import io.kestra.core.models.executions.TaskRunAttempt;
import io.kestra.core.models.executions.metrics.Counter;
import io.kestra.core.models.flows.State;
import io.kestra.core.models.property.Property;
import io.kestra.core.models.tasks.RunnableTask;
import io.kestra.core.models.tasks.RunnableTaskException;
import io.kestra.core.models.tasks.runners.AbstractLogConsumer;
import io.kestra.core.models.tasks.runners.PluginUtilsService;
import io.kestra.core.runners.DynamicTaskRunLog;
import io.kestra.core.runners.RunContext;
import io.kestra.core.runners.WorkerTaskResult;
import io.kestra.core.serializers.JacksonMapper;
import io.kestra.core.utils.IdUtils;
import io.kestra.plugin.scripts.exec.AbstractExecScript;
import io.kestra.plugin.scripts.exec.scripts.models.ScriptOutput;
import io.kestra.plugin.scripts.exec.scripts.runners.CommandsWrapper;
import jakarta.validation.constraints.NotNull;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.slf4j.event.Level;

/**
 * Stands in for the plugin of this name, which cannot be had where these tests run. It has the properties of the real one
 * and no others, and does what that does with commands that are not dbt's own: it runs them, and then makes each result in
 * target/run_results.json a task run with its state and its log. It refuses to run what it does not do.
 */
@Plugin
public class DbtCLI extends AbstractExecScript implements RunnableTask<ScriptOutput> {
    public enum LogFormat {
        JSON,
        TEXT,
        DEBUG,
        NONE
    }

    public enum Engine {
        CORE,
        FUSION
    }

    public static class KvStoreManifest {
        @NotNull
        protected Property<String> key;

        @NotNull
        protected Property<String> namespace;

        public Property<String> getKey() {
            return key;
        }

        public Property<String> getNamespace() {
            return namespace;
        }
    }

    @NotNull
    protected Property<List<String>> commands;

    protected Property<String> profiles;
    protected Property<String> projectDir;
    protected Property<Boolean> parseRunResults = Property.ofValue(true);
    protected Property<String> containerImage = Property.ofValue("ghcr.io/kestra-io/dbt");
    protected KvStoreManifest storeManifest;
    protected KvStoreManifest loadManifest;
    protected Property<LogFormat> logFormat = Property.ofValue(LogFormat.JSON);
    protected Property<Engine> engine = Property.ofValue(Engine.CORE);

    public Property<List<String>> getCommands() {
        return commands;
    }

    public Property<String> getProfiles() {
        return profiles;
    }

    public Property<String> getProjectDir() {
        return projectDir;
    }

    public Property<Boolean> getParseRunResults() {
        return parseRunResults;
    }

    @Override
    public Property<String> getContainerImage() {
        return containerImage;
    }

    public KvStoreManifest getStoreManifest() {
        return storeManifest;
    }

    public KvStoreManifest getLoadManifest() {
        return loadManifest;
    }

    public Property<LogFormat> getLogFormat() {
        return logFormat;
    }

    public Property<Engine> getEngine() {
        return engine;
    }

    @Override
    public ScriptOutput run(RunContext runContext) throws Exception {
        List<String> rendered = runContext.render(commands).asList(String.class);
        if (profiles != null || projectDir != null || storeManifest != null || loadManifest != null
                || rendered.stream().anyMatch(command -> command.startsWith("dbt"))) {
            throw new UnsupportedOperationException("this stand-in runs commands that bring their own dbt project");
        }
        CommandsWrapper wrapper =
                commands(runContext).withEnableOutputDirectory(true).withLogConsumer(new Lines(runContext));
        Path target = wrapper.getWorkingDirectory().resolve("target");
        ScriptOutput output;
        try {
            output = wrapper.addEnv(Map.of("PYTHONUNBUFFERED", "true", "PIP_ROOT_USER_ACTION", "ignore"))
                    .withInterpreter(interpreter)
                    .withBeforeCommands(beforeCommands)
                    .withBeforeCommandsWithOptions(true)
                    .withCommands(Property.ofValue(rendered))
                    .run();
        } catch (Exception failed) {
            output = failed instanceof RunnableTaskException known && known.getOutput() instanceof ScriptOutput given
                    ? given
                    : ScriptOutput.builder().exitCode(1).outputFiles(new HashMap<>()).build();
            parse(runContext, target, output);
            throw new RunnableTaskException(failed.getMessage(), output);
        }
        parse(runContext, target, output);
        return output;
    }

    /** Without levels: unlike other script tasks, this one logs what is printed on standard error as information. */
    private static final class Lines extends AbstractLogConsumer {
        private final RunContext runContext;

        Lines(RunContext runContext) {
            this.runContext = runContext;
        }

        @Override
        public void accept(String line, Boolean isStdErr, Instant instant) {
            if (line.startsWith("::{") && line.endsWith("}::")) {
                outputs.putAll(PluginUtilsService.parseOut(line, runContext.logger(), runContext, isStdErr, instant));
            } else {
                runContext.logger().info(line.trim());
            }
        }

        @Override
        public void accept(String line, Boolean isStdErr) {
            accept(line, isStdErr, null);
        }
    }

    private void parse(RunContext runContext, Path target, ScriptOutput output) throws Exception {
        Path manifest = target.resolve("manifest.json");
        if (Files.exists(manifest)) {
            output.getOutputFiles().put("manifest.json", runContext.storage().putFile(manifest.toFile()));
        } else {
            runContext.logger().warn("dbt manifest not found at {} (assets will NOT be emitted)", manifest);
        }
        Path results = target.resolve("run_results.json");
        if (runContext.render(parseRunResults).as(Boolean.class).orElse(true) && Files.exists(results)) {
            for (JsonNode result : JacksonMapper.ofJson().readTree(results.toFile()).get("results")) {
                emit(runContext, result);
            }
            output.getOutputFiles().put("run_results.json", runContext.storage().putFile(results.toFile()));
        }
    }

    private static void emit(RunContext runContext, JsonNode result) throws Exception {
        State.Type type = type(result.get("status").asText());
        List<State.History> histories = new ArrayList<>();
        List<Instant> times = new ArrayList<>();
        for (JsonNode step : result.get("timing")) {
            times.add(Instant.parse(step.get("started_at").asText()));
            if (step.get("name").asText().equals("execute")) {
                histories.add(new State.History(
                        State.Type.RUNNING, Instant.parse(step.get("started_at").asText())));
            }
        }
        times.stream().min(Instant::compareTo).ifPresent(first ->
                histories.addFirst(new State.History(State.Type.CREATED, first)));
        for (JsonNode step : result.get("timing")) {
            times.add(Instant.parse(step.get("completed_at").asText()));
        }
        times.stream().max(Instant::compareTo).ifPresent(last -> histories.add(new State.History(type, last)));
        JsonNode rows = result.get("adapter_response").get("rows_affected");
        if (rows != null) {
            runContext.metric(Counter.of("rows.affected", rows.asDouble()));
        }
        State state = State.of(type, histories);
        TaskRun run = TaskRun.builder()
                .id(IdUtils.create())
                .namespace(runContext.render("{{ flow.namespace }}"))
                .flowId(runContext.render("{{ flow.id }}"))
                .taskId(result.get("unique_id").asText())
                .executionId(runContext.render("{{ execution.id }}"))
                .parentTaskRunId(runContext.render("{{ taskrun.id }}"))
                .state(state)
                .attempts(List.of(TaskRunAttempt.builder().state(state).build()))
                .build();
        runContext.dynamicWorkerResult(
                WorkerTaskResult.builder().taskRun(run).build(), logs(result, type));
    }

    private static List<DynamicTaskRunLog> logs(JsonNode result, State.Type type) throws IOException {
        Level level = type == State.Type.FAILED ? Level.ERROR : type == State.Type.WARNING ? Level.WARN : Level.INFO;
        List<DynamicTaskRunLog> logs = new ArrayList<>();
        logs.add(new DynamicTaskRunLog(
                level,
                String.format(
                        Locale.ROOT,
                        "%s => %s in %.2fs",
                        result.get("unique_id").asText(),
                        result.get("status").asText(),
                        result.get("execution_time").asDouble())));
        if (result.hasNonNull("message") && !result.get("message").asText().isBlank()) {
            logs.add(new DynamicTaskRunLog(level, result.get("message").asText()));
        }
        return logs;
    }

    private static State.Type type(String status) {
        return switch (status) {
            case "error", "fail", "runtime_error" -> State.Type.FAILED;
            case "warn" -> State.Type.WARNING;
            case "skipped" -> State.Type.SKIPPED;
            case "success", "pass" -> State.Type.SUCCESS;
            default -> throw new IllegalStateException("No suitable status for '" + status + "'");
        };
    }
}
