{{ config(**daily('steps_date')) }}

with versions as (
    select * from {{ ref('stg_steps__interval_counts') }}
),

interval_counts as (
    {{ current_versions('versions', 'record_id') | indent }}
),

settings as (
    select * from {{ ref('int_athlete_settings_scd') }}
),

athletes as (
    select * from {{ ref('int_athletes_as_of') }}
),

kinds as (
    select * from {{ ref('step_device_ranks') }}
),

localized as (
    select
        interval_counts.*,
        coalesce(
            interval_counts.stated_date, {{ local_date('interval_counts.started_at', 'settings.timezone') }}
        ) as steps_date,
        {{ unix_milliseconds('interval_counts.started_at') }} as starts_ms,
        -- one without a length stands for its first millisecond
        greatest(
            {{ unix_milliseconds('coalesce(interval_counts.ended_at, interval_counts.started_at)') }},
            {{ unix_milliseconds('interval_counts.started_at') }} + 1
        ) as ends_ms,
        dense_rank() over (
            partition by interval_counts.athlete_id, interval_counts.step_source
            order by kinds.device_rank, interval_counts.device_name
        ) as device_rank
    from interval_counts
    inner join settings
        on
            interval_counts.athlete_id = settings.athlete_id
            and {{ in_force_at('interval_counts.started_at') }}
    inner join kinds on interval_counts.device_kind = kinds.device_kind
    where not interval_counts.is_deleted
),

-- every device but the first has others before it
outranked as (
    select distinct
        athlete_id,
        step_source,
        device_rank
    from localized
    where device_rank > 1
),

-- for each of them: when one before it begins (+1) or stops (-1) to count, and when its own intervals begin and end
edges as (
    select
        outranked.athlete_id,
        outranked.step_source,
        outranked.device_rank,
        localized.starts_ms as at_ms,
        case when localized.device_rank < outranked.device_rank then 1 else 0 end as change
    from outranked
    inner join localized
        on
            outranked.athlete_id = localized.athlete_id
            and outranked.step_source = localized.step_source
            and outranked.device_rank >= localized.device_rank
    union all
    select
        outranked.athlete_id,
        outranked.step_source,
        outranked.device_rank,
        localized.ends_ms as at_ms,
        case when localized.device_rank < outranked.device_rank then -1 else 0 end as change
    from outranked
    inner join localized
        on
            outranked.athlete_id = localized.athlete_id
            and outranked.step_source = localized.step_source
            and outranked.device_rank >= localized.device_rank
),

instants as (
    select
        athlete_id,
        step_source,
        device_rank,
        at_ms,
        sum(change) as change
    from edges
    group by athlete_id, step_source, device_rank, at_ms
),

stretches as (
    select
        *,
        sum(change) over in_time > 0 as is_covered,
        lead(at_ms) over in_time - at_ms as duration_ms
    from instants
    window in_time as (partition by athlete_id, step_source, device_rank order by at_ms)
),

-- the time before an instant in which a device of a lower rank counted
covered as (
    select
        *,
        coalesce(
            sum(case when is_covered then duration_ms else 0 end) over (
                partition by athlete_id, step_source, device_rank
                order by at_ms
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as covered_ms
    from stretches
),

final as (
    select
        localized.athlete_id,
        localized.record_id,
        localized.step_source,
        localized.device_name,
        localized.device_kind,
        localized.steps_date,
        localized.started_at,
        localized.ended_at,
        localized.steps as steps_stated,
        -- steps are taken to be spread evenly over their interval, as HealthKit itself does
        cast(
            round(
                localized.steps
                * (
                    localized.ends_ms
                    - localized.starts_ms
                    - coalesce(covered_to_end.covered_ms - covered_to_start.covered_ms, 0)
                )
                / (localized.ends_ms - localized.starts_ms)
            ) as int64
        ) as steps,
        localized.loaded_at
    from localized
    inner join athletes on localized.athlete_id = athletes.athlete_id
    left join covered as covered_to_start
        on
            localized.athlete_id = covered_to_start.athlete_id
            and localized.step_source = covered_to_start.step_source
            and localized.device_rank = covered_to_start.device_rank
            and localized.starts_ms = covered_to_start.at_ms
    left join covered as covered_to_end
        on
            localized.athlete_id = covered_to_end.athlete_id
            and localized.step_source = covered_to_end.step_source
            and localized.device_rank = covered_to_end.device_rank
            and localized.ends_ms = covered_to_end.at_ms
    where localized.steps_date <= athletes.as_of_date
)

select * from final
