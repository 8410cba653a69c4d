{{ config(
    materialized='incremental' if builds_incrementally() else 'table',
    incremental_strategy='merge',
    unique_key='started_at'
) }}
-- depends_on: {{ ref('int_loads') }}, {{ ref('int_athlete_settings_scd') }}, {{ ref('int_athletes_as_of') }}
{% set began = last_build_began() %}
{% set unread = is_unread() %}
{% set since = loaded_since(min_date()) if not began else instant_constant(
    relation_of('int_loads'), 'select min(loaded_at) from ' ~ relation_of('int_loads') ~ ' where ' ~ unread
) or run_instant() %}

with loads as (
    select load_id from {{ ref('int_loads') }}
    where {{ unread }}
),

versions as (
    {{ record_versions(since) | indent }}
),

changed as (
    select * from versions
    where load_id in (select loads.load_id from loads)
),

{% if began -%}
settings_before as (
    select * from {{ last_build() }}
),

-- the settings that were in force on the as-of date
settings_as_of as (
    select * from settings_before
    where valid_from <= as_of_date
    qualify row_number() over (partition by athlete_id order by valid_from desc) = 1
),

-- a new athlete has no earlier settings: their records say which days are affected
settings_compared as (
    select {{ settings_columns() }} from settings_before
    union all
    select {{ settings_columns() }} from {{ ref('int_athlete_settings_scd') }}
    where athlete_id in (select settings_before.athlete_id from settings_before)
),

{% endif -%}
affected as (
    select event_day as affected_day from changed
    {%- if began %}
    union all
    {{ former_days('changed') | indent }}
    union all
    -- settings that are not in both are changed
    select valid_from as affected_day
    from settings_compared
    group by {{ settings_columns() }}
    having count(*) = 1
    union all
    -- days between the as-of dates of the last build and of this one
    select as_of_date as affected_day from settings_before
    union all
    select as_of_date as affected_day from {{ ref('int_athletes_as_of') }}
    union all
    -- all weeks begin on the day that is in force on the as-of date, also earlier ones
    select {{ day_constant(first_day(), 1) }} as affected_day
    from settings_as_of
    inner join {{ ref('int_athletes_as_of') }} as athletes on settings_as_of.athlete_id = athletes.athlete_id
    where settings_as_of.first_day_of_week <> athletes.first_day_of_week
    {%- endif %}
),

final as (
    select
        {{ run_instant() }} as started_at,
        {%- if began %}
        -- the local day may be the day before the UTC day
        greatest({{ add_days('min(affected_day)', -1) }}, {{ day_constant(reach()) }}) as rebuild_from,
        {%- else %}
        {{ day_constant(min_date()) }} as rebuild_from,
        {%- endif %}
        {{ add_days('min(affected_day)', -1) }} as first_day
    from affected
)

select * from final
