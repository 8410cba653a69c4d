{{ config(materialized='incremental', incremental_strategy='merge', unique_key='started_at') }}
-- depends_on: {{ ref('int_loads_read') }}, {{ ref('int_athlete_settings_ranged') }}, {{ ref('int_athletes_dated') }}
{% set activities_built = source('last_build', 'activities') %}
{% set meals_built = source('last_build', 'meals') %}
{% set settings_built = source('last_build', 'settings') %}
{% set built_at = last_built_at(settings_built) if is_incremental() and is_built(settings_built) %}
{% set settings_columns = [
    'athlete_id', 'valid_from', 'timezone', 'step_goal', 'carbs_target_pct', 'protein_target_pct', 'fat_target_pct',
    'macro_tolerance_pct', 'resting_heartrate_bpm', 'max_heartrate_bpm', 'sex',
] | join(', ') %}

{% if built_at -%}
{% set since = instant_constant(
    ref('int_loads_read'), 'select min(loaded_at) from ' ~ ref('int_loads_read') ~ ' where first_read_at > ' ~ built_at
) or run_instant() %}

with loads as (
    select * from {{ ref('int_loads_read') }}
    where first_read_at > {{ built_at }}
),

activities_changed as (
    select
        athlete_id,
        activity_id,
        started_at
    from {{ ref('stg_strava__export_activities') }}
    where loaded_at >= {{ since }} and load_id in (select loads.load_id from loads)
    union all
    select
        athlete_id,
        activity_id,
        started_at
    from {{ ref('stg_strava__api_activities') }}
    where loaded_at >= {{ since }} and load_id in (select loads.load_id from loads)
),

meals_changed as (
    select * from {{ ref('stg_meals__entries') }}
    where loaded_at >= {{ since }} and load_id in (select loads.load_id from loads)
),

settings_before as (
    select * from {{ settings_built }}
),

-- newcomers have no settings before: their days are affected by what they loaded
settings_compared as (
    select {{ settings_columns }} from settings_before
    union all
    select {{ settings_columns }} from {{ ref('int_athlete_settings_ranged') }}
    where athlete_id in (select settings_before.athlete_id from settings_before)
),

affected as (
    select cast(started_at as date) as affected_day from activities_changed
    union all
    select coalesce(cast(eaten_at_utc as date), cast(eaten_at_local as date)) as affected_day from meals_changed
    union all
    select steps_date as affected_day from {{ ref('stg_steps__daily_counts') }}
    where loaded_at >= {{ since }} and load_id in (select loads.load_id from loads)
    union all
    select cast(started_at as date) as affected_day from {{ ref('stg_steps__interval_counts') }}
    where loaded_at >= {{ since }} and load_id in (select loads.load_id from loads)
    union all
    -- where a record stood that now stands elsewhere, or nowhere
    select built.activity_date as affected_day
    from {{ activities_built }} as built
    inner join activities_changed
        on built.athlete_id = activities_changed.athlete_id and built.activity_id = activities_changed.activity_id
    where built.activity_date >= {{ day_constant(reach()) }}
    union all
    select built.meal_date as affected_day
    from {{ meals_built }} as built
    inner join meals_changed
        on built.athlete_id = meals_changed.athlete_id and built.meal_id = meals_changed.meal_id
    where built.meal_date >= {{ day_constant(reach()) }}
    union all
    -- in both alike or else changed
    select valid_from as affected_day
    from settings_compared
    group by {{ settings_columns }}
    having count(*) = 1
    union all
    -- days that have come since the last build, or gone
    select as_of_date as affected_day from settings_before
    union all
    select as_of_date as affected_day from {{ ref('int_athletes_dated') }}
),

final as (
    select
        {{ run_instant() }} as started_at,
        -- a day told in UTC may be the day before at the athlete's
        greatest(
            cast({{ dbt.dateadd('day', -1, 'min(affected_day)') }} as date), {{ day_constant(reach()) }}
        ) as rebuild_from,
        cast({{ dbt.dateadd('day', -1, 'min(affected_day)') }} as date) as first_day
    from affected
)
{%- else -%}
with told as (
    select cast(started_at as date) as told_day from {{ ref('stg_strava__export_activities') }}
    union all
    select cast(started_at as date) as told_day from {{ ref('stg_strava__api_activities') }}
    union all
    select coalesce(cast(eaten_at_utc as date), cast(eaten_at_local as date)) as told_day
    from {{ ref('stg_meals__entries') }}
    union all
    select steps_date as told_day from {{ ref('stg_steps__daily_counts') }}
    union all
    select cast(started_at as date) as told_day from {{ ref('stg_steps__interval_counts') }}
),

final as (
    select
        {{ run_instant() }} as started_at,
        {{ day_constant(since_ever()) }} as rebuild_from,
        cast({{ dbt.dateadd('day', -1, 'min(told_day)') }} as date) as first_day
    from told
)
{%- endif %}

select * from final
