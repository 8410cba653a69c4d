package buddy.engine;

import io.kestra.core.metrics.MetricRegistry;
import io.kestra.core.models.triggers.TriggerId;
import io.kestra.core.repositories.TriggerRepositoryInterface;
import io.kestra.core.scheduler.SchedulerClock;
import io.kestra.core.scheduler.SchedulerConfiguration;
import io.kestra.core.scheduler.events.CreateBackfillTrigger;
import io.kestra.core.scheduler.queue.TriggerEventQueue;
import io.kestra.core.scheduler.store.TriggerStateStore;
import io.kestra.core.scheduler.vnodes.internals.StaticVNodesAssigner;
import io.kestra.core.server.ServiceStateChangeEvent;
import io.kestra.core.services.MaintenanceService;
import io.kestra.core.utils.ExecutorsUtils;
import io.kestra.scheduler.DefaultScheduler;
import io.kestra.scheduler.TriggerSchedulingLoopFactory;
import io.micronaut.context.ApplicationContext;
import io.micronaut.inject.qualifiers.Qualifiers;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** The engine's own scheduler, which can be stopped and started again while time is moved. */
final class Scheduling {
    static final MovingClock CLOCK = new MovingClock();

    private final ApplicationContext context;
    private DefaultScheduler scheduler;

    /** Before the context starts: whatever asks for the time of schedules takes the clock when it is made. */
    static void takeClock() {
        SchedulerClock.setClock(CLOCK);
    }

    Scheduling(ApplicationContext context) {
        this.context = context;
    }

    synchronized void start() {
        if (scheduler != null) {
            return;
        }
        scheduler = new DefaultScheduler(
                context.getBean(TriggerSchedulingLoopFactory.class),
                // All of them, as the only scheduler; the class is abstract.
                new StaticVNodesAssigner(context.getBean(SchedulerConfiguration.class)) {},
                context.getBean(ExecutorsUtils.class),
                context.getEventPublisher(ServiceStateChangeEvent.class),
                context.getBean(TriggerEventQueue.class),
                context.getBean(TriggerStateStore.class, Qualifiers.byName("cached")),
                context.getBean(MetricRegistry.class),
                context.getBean(MaintenanceService.class),
                CLOCK);
        scheduler.start(1);
    }

    synchronized void stop() {
        if (scheduler != null) {
            scheduler.close();
            scheduler = null;
        }
    }

    /** Ask for the executions of a schedule in a time that is over, as the browser does. */
    void backfill(TriggerId trigger, ZonedDateTime start, ZonedDateTime end) {
        context.getBean(TriggerEventQueue.class)
                .send(new CreateBackfillTrigger(
                        trigger, new CreateBackfillTrigger.Backfill(start, end, Map.of(), List.of())));
    }

    /** When each schedule comes next. */
    List<Map<String, Object>> triggers(String tenant) {
        return context.getBean(TriggerRepositoryInterface.class).findAll(tenant).stream()
                .<Map<String, Object>>map(state -> new TreeMap<>(Map.of(
                        "namespace", state.getNamespace(),
                        "flow", state.getFlowId(),
                        "trigger", state.getTriggerId(),
                        "next", String.valueOf(state.getNextEvaluationDate()),
                        "is_disabled", state.isDisabled())))
                .toList();
    }
}
