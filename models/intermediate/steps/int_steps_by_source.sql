{{ config(**daily('steps_date')) }}

with daily_versions as (
    select * from {{ ref('stg_steps__daily_counts') }}
),

daily_counts as (
    {{ current_versions('daily_versions', 'record_id') | indent }}
),

interval_counts as (
    select * from {{ ref('int_step_intervals_resolved') }}
),

athletes as (
    select * from {{ ref('int_athletes_as_of') }}
),

totals as (
    select
        daily_counts.athlete_id,
        daily_counts.step_source,
        daily_counts.steps_date,
        daily_counts.steps as total_steps,
        cast(null as int64) as interval_steps,
        -- of a day that was over: nothing can come to it
        {{ local_date('daily_counts.loaded_at', 'athletes.timezone') }} > daily_counts.steps_date as is_final,
        daily_counts.loaded_at
    from daily_counts
    inner join athletes on daily_counts.athlete_id = athletes.athlete_id
    where not daily_counts.is_deleted and daily_counts.steps is not null and daily_counts.step_source is not null
),

sums as (
    select
        athlete_id,
        step_source,
        steps_date,
        cast(null as int64) as total_steps,
        cast(round({{ exact_sum('steps') }}) as int64) as interval_steps,
        cast(null as bool) as is_final,
        max(loaded_at) as loaded_at
    from interval_counts
    group by athlete_id, step_source, steps_date
),

counts as (
    select * from totals
    union all
    select * from sums
),

-- one source may give a day both whole and by interval: the same steps, so never their sum
by_source as (
    select
        athlete_id,
        step_source,
        steps_date,
        max(total_steps) as total_steps,
        max(interval_steps) as interval_steps,
        max(case when is_final then 1 else 0 end) = 1 as is_final,
        max(loaded_at) as loaded_at
    from counts
    group by athlete_id, step_source, steps_date
),

counted as (
    select
        *,
        -- the source's own total corrects the sum of its intervals once the day is over; before, both still grow
        case
            when is_final then total_steps
            else greatest(coalesce(total_steps, interval_steps), coalesce(interval_steps, total_steps))
        end as steps
    from by_source
),

final as (
    select
        counted.athlete_id,
        counted.step_source,
        counted.steps_date,
        counted.steps,
        counted.steps between 0 and {{ var('most_steps_a_day') }} as is_believable,
        counted.total_steps,
        counted.interval_steps,
        counted.is_final,
        counted.loaded_at
    from counted
    inner join athletes on counted.athlete_id = athletes.athlete_id
    where counted.steps_date <= athletes.as_of_date
)

select * from final
