package io.kestra.plugin.scripts.python;

import io.kestra.core.models.annotations.Plugin;
import io.kestra.core.models.property.Property;
import io.kestra.core.models.tasks.RunnableTask;
import io.kestra.core.runners.RunContext;
import io.kestra.plugin.scripts.exec.AbstractExecScript;
import io.kestra.plugin.scripts.exec.scripts.models.ScriptOutput;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Stands in for the plugin of this name, as {@link Commands} does: the rendered script is a file that Python runs. As in
 * the real plugin, its text and the content of its input files are rendered twice.
 */
@Plugin
public class Script extends AbstractExecScript implements RunnableTask<ScriptOutput> {
    protected Property<String> containerImage;
    protected Property<String> script;

    @Override
    public Property<String> getContainerImage() {
        return containerImage;
    }

    public Property<String> getScript() {
        return script;
    }

    @Override
    public ScriptOutput run(RunContext runContext) throws Exception {
        String rendered = runContext.render(runContext.render(script).as(String.class).orElseThrow());
        Path path = runContext.workingDir().createTempFile(rendered.getBytes(StandardCharsets.UTF_8), ".py");
        return commands(runContext)
                .withInputFiles(renderedOnce(runContext))
                .addEnv(Map.of("PYTHONUNBUFFERED", "true"))
                .withInterpreter(interpreter)
                .withBeforeCommands(beforeCommands)
                .withBeforeCommandsWithOptions(true)
                .withCommands(Property.ofValue(List.of("python " + path)))
                .run();
    }

    private Object renderedOnce(RunContext runContext) throws Exception {
        if (!(getInputFiles() instanceof Map<?, ?> files)) {
            return getInputFiles();
        }
        Map<String, String> once = new HashMap<>();
        for (Map.Entry<?, ?> file : files.entrySet()) {
            once.put(String.valueOf(file.getKey()), runContext.render(String.valueOf(file.getValue())));
        }
        return once;
    }
}
