{{ config(materialized='table') }}
-- depends_on: {{ ref('fct_daily_health') }}, {{ ref('int_athlete_settings_ranged') }}, {{ ref('int_athletes_dated') }}
{% set is_caught_up = execute and builds_all_days() %}

{% if is_caught_up or not is_built(this) -%}
with settings as (
    select * from {{ ref('int_athlete_settings_ranged') }}
),

athletes as (
    select * from {{ ref('int_athletes_dated') }}
),

final as (
    select
        settings.athlete_id,
        settings.valid_from,
        settings.timezone,
        settings.step_goal,
        settings.carbs_target_pct,
        settings.protein_target_pct,
        settings.fat_target_pct,
        settings.macro_tolerance_pct,
        settings.resting_heartrate_bpm,
        settings.max_heartrate_bpm,
        settings.sex,
        athletes.as_of_date,
        {{ run_instant() }} as built_at
    from settings
    inner join athletes on settings.athlete_id = athletes.athlete_id
    where {{ is_caught_up }}
)
{%- else -%}
-- only a part was built: what the last whole build had read still holds
with final as (
    select * from {{ this }}
)
{%- endif %}

select * from final
