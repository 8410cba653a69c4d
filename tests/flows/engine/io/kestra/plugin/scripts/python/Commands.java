package io.kestra.plugin.scripts.python;

import io.kestra.core.models.annotations.Plugin;
import io.kestra.core.models.property.Property;
import io.kestra.core.models.tasks.RunnableTask;
import io.kestra.core.runners.RunContext;
import io.kestra.plugin.scripts.exec.AbstractExecScript;
import io.kestra.plugin.scripts.exec.scripts.models.ScriptOutput;
import java.util.List;
import java.util.Map;

/**
 * Stands in for the plugin of this name, which cannot be had where these tests run. It has the properties that the
 * project's flows use and no other, and runs the commands as real processes through Kestra's own script module.
 */
@Plugin
public class Commands extends AbstractExecScript implements RunnableTask<ScriptOutput> {
    protected Property<String> containerImage;
    protected Property<List<String>> commands;

    @Override
    public Property<String> getContainerImage() {
        return containerImage;
    }

    public Property<List<String>> getCommands() {
        return commands;
    }

    @Override
    public ScriptOutput run(RunContext runContext) throws Exception {
        return commands(runContext)
                .addEnv(Map.of("PYTHONUNBUFFERED", "true"))
                .withInterpreter(interpreter)
                .withBeforeCommands(beforeCommands)
                .withBeforeCommandsWithOptions(true)
                .withCommands(commands)
                .run();
    }
}
