{{ config(materialized='table') }}
{% set goes_on = is_built(this) and not should_full_refresh() %}
{% set since = loads_after(this) if goes_on else loaded_since(since_ever()) %}
{% set staged = [
    ref('stg_strava__api_activities'),
    ref('stg_strava__export_activities'),
    ref('stg_strava__export_gear'),
    ref('stg_steps__daily_counts'),
    ref('stg_steps__interval_counts'),
    ref('stg_meals__entries'),
] %}

with versions as (
    {%- for versions in staged %}
    select
        athlete_id,
        load_id,
        loaded_at
    from {{ versions }}
    where loaded_at >= {{ since }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
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
