package io.kestra.plugin.scripts.python;

import io.kestra.core.exceptions.KestraRuntimeException;
import io.kestra.core.models.annotations.Plugin;
import io.kestra.core.models.property.Property;
import io.kestra.core.models.tasks.RunnableTask;
import io.kestra.core.models.tasks.runners.TargetOS;
import io.kestra.core.runners.FilesService;
import io.kestra.core.runners.RunContext;
import io.kestra.plugin.scripts.exec.AbstractExecScript;
import io.kestra.plugin.scripts.exec.scripts.models.ScriptOutput;
import io.kestra.plugin.scripts.exec.scripts.runners.CommandsWrapper;
import jakarta.validation.constraints.NotNull;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Stands in for the plugin of this name, which cannot be had where these tests run. It has the properties of the real one
 * and no others, and does what that does for a task without dependencies: it asks uv for Python (or Python itself, where
 * the package manager is PIP), renders the script and the content of its input files twice, and puts three lines before it.
 */
@Plugin
public class Script extends AbstractExecScript implements RunnableTask<ScriptOutput> {
    /** As the real plugin: what expressions write as true, false and null are names in the script. */
    private static final String PRELUDE = "true = True\nfalse = False\nnull = None\n";

    public enum PackageManagerType {
        UV,
        PIP
    }

    protected Property<String> containerImage = Property.ofValue("python:3.13-slim");
    protected Property<List<String>> dependencies;
    protected Property<String> pythonVersion;
    protected Property<Boolean> dependencyCacheEnabled = Property.ofValue(true);
    protected Property<PackageManagerType> packageManager = Property.ofValue(PackageManagerType.UV);
    protected Property<Boolean> uvAutoInstallEnabled = Property.ofValue(true);
    protected Property<String> uvInstallerVersion;
    protected Property<String> uvInstallerSha256;

    @NotNull
    protected Property<String> script;

    @Override
    public Property<String> getContainerImage() {
        return containerImage;
    }

    public Property<List<String>> getDependencies() {
        return dependencies;
    }

    public Property<String> getPythonVersion() {
        return pythonVersion;
    }

    public Property<Boolean> getDependencyCacheEnabled() {
        return dependencyCacheEnabled;
    }

    public Property<PackageManagerType> getPackageManager() {
        return packageManager;
    }

    public Property<Boolean> getUvAutoInstallEnabled() {
        return uvAutoInstallEnabled;
    }

    public Property<String> getUvInstallerVersion() {
        return uvInstallerVersion;
    }

    public Property<String> getUvInstallerSha256() {
        return uvInstallerSha256;
    }

    public Property<String> getScript() {
        return script;
    }

    @Override
    public ScriptOutput run(RunContext runContext) throws Exception {
        if (!runContext.render(dependencies).asList(String.class).isEmpty() || pythonVersion != null) {
            throw new UnsupportedOperationException("this stand-in installs neither packages nor a version of Python");
        }
        String python = python(runContext);
        CommandsWrapper commands = commands(runContext);
        Path path = runContext.workingDir().path().relativize(runContext.workingDir().createTempFile(".py"));
        // Rendered here once, and by the wrapper once more.
        Map<String, String> files = new HashMap<>(FilesService.inputFiles(
                runContext, commands.getTaskRunner().additionalVars(runContext, commands), getInputFiles()));
        files.put(path.toString(), PRELUDE + commands.render(runContext, script));
        return commands.withInputFiles(files)
                .addEnv(Map.of(
                        "PYTHONUNBUFFERED", "true", "PIP_ROOT_USER_ACTION", "ignore", "PIP_DISABLE_PIP_VERSION_CHECK", "1"))
                .withInterpreter(interpreter)
                .withBeforeCommands(beforeCommands)
                .withBeforeCommandsWithOptions(true)
                .withCommands(Property.ofValue(List.of(
                        "if [ -n \"$VIRTUAL_ENV\" ]; then \"$VIRTUAL_ENV/bin/python\" \"%2$s\"; else \"%1$s\" \"%2$s\"; fi"
                                .formatted(python, runContext.workingDir().path().resolve(path)))))
                .withTargetOS(runContext.render(targetOS).as(TargetOS.class).orElse(null))
                .run();
    }

    /** The program that runs the script: that of the version which the package manager finds. */
    private String python(RunContext runContext) throws Exception {
        String version;
        if (runContext.render(packageManager).as(PackageManagerType.class).orElse(PackageManagerType.UV)
                == PackageManagerType.PIP) {
            runContext.logger().debug("Find local python version using system python");
            version = asked(runContext, "python3", "--version").orElse("3.13");
        } else {
            String uv = uv(runContext);
            String found = asked(runContext, uv, "python", "find", "--system", "--no-managed-python").orElse(null);
            runContext.logger().debug("Find local python version");
            version = found == null ? "3.13" : asked(runContext, found, "--version").orElse("3.13");
        }
        String[] numbers = version.replaceFirst("Python ", "").split("\\.");
        for (String name : List.of("python" + numbers[0] + "." + numbers[1], "python" + numbers[0], "python3", "python")) {
            if (asked(runContext, name, "--version").isPresent()) {
                return name;
            }
        }
        throw new KestraRuntimeException("Could not find a suitable Python interpreter for version: " + version);
    }

    private String uv(RunContext runContext) throws Exception {
        String path = Optional.ofNullable(System.getenv("UV_PATH"))
                .orElse(System.getenv().getOrDefault("HOME", "") + "/.local/bin/uv");
        String uv = Path.of(path).toFile().exists() ? path : "uv";
        runContext.logger().debug("Finding uv command");
        Optional<String> version = asked(runContext, uv, "--version");
        if (version.isEmpty()) {
            // The real one downloads it and runs what it has downloaded; a test must not.
            throw new KestraRuntimeException("'uv' command could not be found or installed. "
                    + "Please ensure 'uv' is available in PATH or installable on this worker.");
        }
        runContext.logger().debug("Use uv: {}", version.get());
        return uv;
    }

    /** The first line that a program prints; empty if there is no such program, or if it fails. */
    private static Optional<String> asked(RunContext runContext, String... command) throws InterruptedException {
        runContext.logger().debug("Executing command: {}", String.join(" ", command));
        try {
            Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
            String[] lines = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).split("\n");
            return process.waitFor() == 0 ? Optional.of(lines[0].strip()) : Optional.empty();
        } catch (IOException none) {
            return Optional.empty();
        }
    }
}
