package buddy.engine;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/** The engine's configuration: everything in one process, and all it keeps in one folder. */
record Configuration(Path folder, boolean isDurable) {
    static final String PREFIX = "engine.set.";

    /** A durable engine keeps its database in files, watches over its tasks, and takes them up again after a crash. */
    Map<String, Object> properties() throws IOException {
        Map<String, Object> set = new HashMap<>();
        String database = isDurable ? "h2" : "memory";
        set.put("kestra.server-type", "STANDALONE");
        set.put("kestra.repository.type", database);
        set.put("kestra.queue.type", database);
        set.put("kestra.storage.type", "local");
        set.put("kestra.storage.local.base-path", storage().toString());
        set.put("kestra.tasks.tmp-dir.path", folder.resolve("tmp").toString());
        set.put("kestra.server.service.purge.initial-delay", "1h");
        set.put("kestra.server.service.purge.fixed-delay", "1d");
        set.put("kestra.server.service.purge.retention", "30d");
        set.put("kestra.jdbc.queues.min-poll-interval", "25ms");
        set.put("kestra.jdbc.queues.max-poll-interval", "250ms");
        // A queue that has been idle for as long as this is asked seldom. By default that is a minute, in which twenty
        // queues that are asked all the time cost a third of a processor.
        set.put("kestra.jdbc.queues.poll-switch-interval", "1s");
        // As the server's own configuration: a larger message is refused.
        for (String queues : new String[] {"kestra.queue", "kestra.jdbc.queues"}) {
            set.put(queues + ".message-protection.enabled", "true");
            set.put(queues + ".message-protection.limit", 1024 * 1024);
        }
        set.put("kestra.url", "http://localhost:8080/");
        set.put("kestra.anonymous-usage-report.enabled", "false");
        set.put("kestra.server.liveness.enabled", isDurable);
        if (isDurable) {
            for (String time : new String[] {"interval", "initial-delay", "heartbeat-interval"}) {
                set.put("kestra.server.liveness." + time, "1s");
            }
            set.put("kestra.server.liveness.timeout", "3s");
            set.put("kestra.server.termination-grace-period", "2s");
            set.put("kestra.server.worker-task-restart-strategy", "IMMEDIATELY");
        }
        // With the default port a second engine on the machine would not start.
        int port = freePort();
        set.put("kestra.controller.port", port);
        set.put("kestra.worker.controllers.type", "STATIC");
        set.put("kestra.worker.controllers.static.endpoints[0].host", "localhost");
        set.put("kestra.worker.controllers.static.endpoints[0].port", port);
        set.put("datasources.h2.url", databaseUrl());
        set.put("datasources.h2.username", "sa");
        set.put("datasources.h2.password", "");
        set.put("datasources.h2.driverClassName", "org.h2.Driver");
        System.getProperties().forEach((name, value) -> {
            if (name.toString().startsWith(PREFIX)) {
                set.put(name.toString().substring(PREFIX.length()), value);
            }
        });
        return set;
    }

    String databaseUrl() {
        return isDurable
                ? "jdbc:h2:file:" + folder.resolve("database/kestra") + ";TIME ZONE=UTC;DB_CLOSE_ON_EXIT=FALSE"
                : "jdbc:h2:mem:public;TIME ZONE=UTC;DB_CLOSE_DELAY=-1;DB_CLOSE_ON_EXIT=FALSE";
    }

    Path storage() {
        return folder.resolve("storage");
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }
}
