package io.kestra.plugin.gcp.bigquery;

import com.fasterxml.jackson.databind.JsonNode;
import io.kestra.core.exceptions.IllegalVariableEvaluationException;
import io.kestra.core.models.annotations.Plugin;
import io.kestra.core.models.conditions.ConditionContext;
import io.kestra.core.models.executions.Execution;
import io.kestra.core.models.property.Property;
import io.kestra.core.models.tasks.common.FetchType;
import io.kestra.core.models.triggers.AbstractTrigger;
import io.kestra.core.models.triggers.PollingTriggerInterface;
import io.kestra.core.models.triggers.TriggerContext;
import io.kestra.core.models.triggers.TriggerOutput;
import io.kestra.core.models.triggers.TriggerService;
import io.kestra.core.runners.RunContext;
import io.kestra.core.serializers.JacksonMapper;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.time.Instant;
import java.time.LocalDate;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Stands in for the plugin of this name, which cannot be had where these tests run. It has the properties of the real one
 * and no others, so neither a location nor an account to impersonate. It asks the emulator of BUDDY_BIGQUERY_ENDPOINT as
 * that asks Google: a job, then the job's rows, converted by their types. It signs in nowhere, and refuses to run with
 * properties that it does not carry out.
 */
@Plugin
public class Trigger extends AbstractTrigger implements PollingTriggerInterface, TriggerOutput<Trigger.Output> {
    private Duration interval = Duration.ofSeconds(60);

    protected Property<String> projectId;
    protected Property<String> serviceAccount;
    protected Property<List<String>> scopes =
            Property.ofValue(List.of("https://www.googleapis.com/auth/cloud-platform"));
    private Property<String> sql;
    private Property<Boolean> legacySql = Property.ofValue(false);
    private boolean fetch = false;
    private boolean store = false;
    private boolean fetchOne = false;
    private Property<FetchType> fetchType = Property.ofValue(FetchType.NONE);

    @Override
    public Duration getInterval() {
        return interval;
    }

    public Property<String> getProjectId() {
        return projectId;
    }

    public Property<String> getServiceAccount() {
        return serviceAccount;
    }

    public Property<List<String>> getScopes() {
        return scopes;
    }

    public Property<String> getSql() {
        return sql;
    }

    public Property<Boolean> getLegacySql() {
        return legacySql;
    }

    public boolean isFetch() {
        return fetch;
    }

    public boolean isStore() {
        return store;
    }

    public boolean isFetchOne() {
        return fetchOne;
    }

    public Property<FetchType> getFetchType() {
        return fetchType;
    }

    /** What the real one gives out; <code>destinationTable</code> and <code>uri</code> are of queries that this refuses. */
    public record Output(String jobId, List<Map<String, Object>> rows, Map<String, Object> row, Long size)
            implements io.kestra.core.models.tasks.Output {
        public String getJobId() {
            return jobId;
        }

        public List<Map<String, Object>> getRows() {
            return rows;
        }

        public Map<String, Object> getRow() {
            return row;
        }

        public Long getSize() {
            return size;
        }
    }

    @Override
    public Optional<Execution> evaluate(ConditionContext conditionContext, TriggerContext context) throws Exception {
        RunContext runContext = conditionContext.getRunContext();
        FetchType type = fetchType(runContext);
        if (serviceAccount != null || type == FetchType.STORE || runContext.render(legacySql).as(Boolean.class).orElseThrow()) {
            throw new UnsupportedOperationException("the stand-in has no serviceAccount, no STORE and no legacySql");
        }
        Output found = query(
                runContext.render(projectId).as(String.class).orElseThrow(),
                runContext.render(sql).as(String.class).orElseThrow(),
                type);
        runContext.logger().debug("Found '{}' rows from '{}'", found.getSize(), runContext.render(sql));
        // The real one compares the size, which a query without rows to fetch does not have.
        if (found.getSize() == 0) {
            return Optional.empty();
        }
        return Optional.of(TriggerService.generateExecution(this, conditionContext, context, found));
    }

    private FetchType fetchType(RunContext runContext) throws IllegalVariableEvaluationException {
        if (fetch) {
            return FetchType.FETCH;
        }
        if (store) {
            return FetchType.STORE;
        }
        return fetchOne ? FetchType.FETCH_ONE : runContext.render(fetchType).as(FetchType.class).orElseThrow();
    }

    private static Output query(String project, String sql, FetchType type) throws IOException, InterruptedException {
        String endpoint = System.getenv("BUDDY_BIGQUERY_ENDPOINT");
        URI jobs = URI.create(endpoint + "/bigquery/v2/projects/" + project + "/jobs");
        Map<String, Object> job = Map.of("configuration", Map.of("query", Map.of("query", sql, "useLegacySql", false)));
        JsonNode made = ask(HttpRequest.newBuilder(jobs)
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(JacksonMapper.ofJson().writeValueAsString(job))));
        JsonNode error = made.path("status").path("errorResult");
        if (!error.isMissingNode() && !error.isNull()) {
            throw new IOException(error.path("message").asText());
        }
        String id = made.path("jobReference").path("jobId").asText();
        if (type == FetchType.NONE) {
            return new Output(id, null, null, null);
        }
        JsonNode answer = ask(HttpRequest.newBuilder(URI.create(jobs.toString().replaceFirst("/jobs$", "/queries/" + id))));
        List<Map<String, Object>> rows = new ArrayList<>();
        for (JsonNode row : answer.path("rows")) {
            Map<String, Object> columns = new LinkedHashMap<>();
            int place = 0;
            for (JsonNode field : answer.path("schema").path("fields")) {
                columns.put(field.path("name").asText(), converted(field, row.path("f").path(place++).path("v")));
            }
            rows.add(columns);
        }
        Map<String, Object> first = rows.isEmpty() ? Map.of() : rows.getFirst();
        boolean isAll = type == FetchType.FETCH;
        return new Output(id, isAll ? rows : null, isAll ? null : first, (long) rows.size());
    }

    private static Object converted(JsonNode field, JsonNode value) {
        if (value.isNull()) {
            return null;
        }
        return switch (field.path("type").asText()) {
            case "STRING" -> value.asText();
            case "INTEGER", "INT64" -> Long.valueOf(value.asText());
            case "FLOAT", "FLOAT64" -> Double.valueOf(value.asText());
            case "BOOLEAN", "BOOL" -> Boolean.valueOf(value.asText());
            case "DATE" -> LocalDate.parse(value.asText());
            case "TIMESTAMP" -> instant(value.asText());
            default -> throw new UnsupportedOperationException("the stand-in does not convert " + field);
        };
    }

    /** Seconds with a fraction (also as 1.7E9), or whole microseconds where a client asks for them. */
    private static Instant instant(String text) {
        long micros = new java.math.BigDecimal(text).movePointRight(6).longValue();
        return Instant.EPOCH.plus(micros, ChronoUnit.MICROS);
    }

    private static JsonNode ask(HttpRequest.Builder request) throws IOException, InterruptedException {
        try (HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build()) {
            HttpResponse<String> response = client.send(request.build(), HttpResponse.BodyHandlers.ofString());
            JsonNode answer = JacksonMapper.ofJson().readTree(response.body());
            if (response.statusCode() >= 400) {
                throw new IOException(answer.path("error").path("message").asText(response.body()));
            }
            return answer;
        }
    }
}
