{{ config(materialized='table') }}
{% set goes_on = is_built(this) and not should_full_refresh() %}
{% set since = loads_after(this) if goes_on else loaded_since(since_ever()) %}

with versions as (
    select
        athlete_id,
        load_id,
        loaded_at
    from {{ ref('stg_strava__export_activities') }}
    where loaded_at >= {{ since }}
    union all
    select
        athlete_id,
        load_id,
        loaded_at
    from {{ ref('stg_strava__export_gear') }}
    where loaded_at >= {{ since }}
    union all
    select
        athlete_id,
        load_id,
        loaded_at
    from {{ ref('stg_steps__daily_counts') }}
    where loaded_at >= {{ since }}
    union all
    select
        athlete_id,
        load_id,
        loaded_at
    from {{ ref('stg_steps__interval_counts') }}
    where loaded_at >= {{ since }}
    union all
    select
        athlete_id,
        load_id,
        loaded_at
    from {{ ref('stg_meals__entries') }}
    where loaded_at >= {{ since }}
),

loads as (
    select
        athlete_id,
        load_id,
        loaded_at,
        {{ run_instant() }} as first_read_at
    from versions
    {%- if goes_on %}
    union all
    select
        athlete_id,
        load_id,
        loaded_at,
        first_read_at
    from {{ this }}
    where loaded_at >= {{ since }} or first_read_at > {{ last_built_at(source('last_build', 'settings')) }}
    {%- endif %}
),

final as (
    select
        athlete_id,
        load_id,
        max(loaded_at) as loaded_at,
        min(first_read_at) as first_read_at
    from loads
    group by athlete_id, load_id
)

select * from final
