package io.kestra.plugin.scripts.shell;

import io.kestra.core.models.annotations.Plugin;
import io.kestra.core.models.property.Property;
import io.kestra.core.models.tasks.RunnableTask;
import io.kestra.core.models.tasks.runners.TargetOS;
import io.kestra.core.runners.RunContext;
import io.kestra.plugin.scripts.exec.AbstractExecScript;
import io.kestra.plugin.scripts.exec.scripts.models.ScriptOutput;
import jakarta.validation.constraints.NotNull;
import java.util.List;

/**
 * Stands in for the plugin of this name, which cannot be had where these tests run. It has the properties of the real one
 * and no others, and does what that does: it runs the commands as real processes through Kestra's own script module.
 */
@Plugin
public class Commands extends AbstractExecScript implements RunnableTask<ScriptOutput> {
    protected Property<String> containerImage = Property.ofValue("ubuntu");

    @NotNull
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
                .withInterpreter(interpreter)
                .withBeforeCommands(beforeCommands)
                .withBeforeCommandsWithOptions(true)
                .withCommands(commands)
                .withTargetOS(runContext.render(targetOS).as(TargetOS.class).orElse(null))
                .run();
    }
}
