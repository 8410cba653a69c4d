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

summed as (
    select
        athlete_id,
        step_source,
        steps_date,
        cast(sum(steps) as int64) as steps,
        max(loaded_at) as loaded_at
    from interval_counts
    group by athlete_id, step_source, steps_date
),

counts as (
    select
        athlete_id,
        step_source,
        steps_date,
        steps,
        loaded_at
    from daily_counts
    where not is_deleted
    union all
    select
        athlete_id,
        step_source,
        steps_date,
        steps,
        loaded_at
    from summed
),

final as (
    select
        counts.athlete_id,
        counts.step_source,
        counts.steps_date,
        -- one source may give a day both whole and by interval: the same steps, so never their sum
        max(counts.steps) as steps,
        max(counts.loaded_at) as loaded_at
    from counts
    inner join athletes on counts.athlete_id = athletes.athlete_id
    where counts.steps is not null and counts.steps_date <= athletes.as_of_date
    group by counts.athlete_id, counts.step_source, counts.steps_date
)

select * from final
