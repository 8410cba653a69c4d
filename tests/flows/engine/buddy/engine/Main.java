package buddy.engine;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.kestra.core.runners.TestRunner;
import io.micronaut.context.ApplicationContext;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executors;

/**
 * Kestra's real engine (executor, worker, scheduler, storage) in one process, driven over HTTP on loopback.
 *
 * <p>Prints one line of JSON with its port once it is ready, and ends when its standard input does. Arguments: a folder
 * for everything it keeps, and the port to listen on (0: any). System properties: <code>engine.durable</code> (see
 * Configuration), <code>engine.set.NAME</code> to set a property of Kestra.
 */
public final class Main {
    public static void main(String[] arguments) throws Exception {
        Path folder = Path.of(arguments[0]);
        Files.createDirectories(folder.resolve("tmp"));
        Configuration configuration = new Configuration(folder, Boolean.getBoolean("engine.durable"));
        Scheduling.takeClock();
        ApplicationContext context = ApplicationContext.builder()
                .properties(configuration.properties())
                .environments("test")
                .start();
        TestRunner runner = context.getBean(TestRunner.class);
        runner.setSchedulerEnabled(false); // Scheduling has one that keeps the tests' time
        runner.setSystemWorkerEnabled(true); // purging is for the server itself to do
        runner.run();
        Operations operations = new Operations(context, configuration, new Scheduling(context));

        InetSocketAddress address =
                new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(arguments[1]));
        HttpServer server = HttpServer.create(address, 0);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.createContext("/engine/", exchange -> call(operations, exchange));
        server.createContext(ServerFront.PATH, new ServerFront(operations));
        server.createContext(WebhookFront.PATH, new WebhookFront(operations));
        server.start();
        System.out.println(
                Operations.JSON.writeValueAsString(Map.of("port", server.getAddress().getPort())));
        System.out.flush();
        while (System.in.read() >= 0) {
            // until whoever started it is gone
        }
        System.exit(0);
    }

    private static void call(Operations operations, HttpExchange exchange) throws IOException {
        Map<String, Object> answer = new HashMap<>();
        try {
            String operation = exchange.getRequestURI().getPath().substring("/engine/".length());
            @SuppressWarnings("unchecked")
            Map<String, Object> given = Operations.JSON.readValue(exchange.getRequestBody(), Map.class);
            answer.put("result", operations.call(operation, given));
        } catch (Throwable problem) {
            StringWriter trace = new StringWriter();
            problem.printStackTrace(new PrintWriter(trace));
            answer.put("error", trace.toString());
        }
        reply(exchange, 200, Operations.JSON.writeValueAsBytes(answer));
    }

    static void reply(HttpExchange exchange, int status, byte[] content) throws IOException {
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, content.length == 0 ? -1 : content.length);
        if (content.length > 0) {
            exchange.getResponseBody().write(content);
        }
        exchange.close();
    }
}
