{{ config(materialized='table') }}
{% set since = last_rebuild_from(ref('int_rebuild_window')) %}
{% set settled = totals_go_on_from(since) %}

with activities as (
    select * from {{ ref('fct_activities') }}
    where activity_date >= {{ day_constant(settled) }} and activity_date < {{ day_constant(since) }}
),

totals_added as (
    {{ gear_totals('activities') | indent }}
),

parts as (
    select * from totals_added
    {%- if settled > since_ever() %}
    union all
    select
        athlete_id,
        gear_id,
        activities,
        distance_m,
        first_used_on,
        last_used_on
    from {{ this }}
    {%- endif %}
),

totals as (
    {{ gear_totals_together('parts') | indent }}
),

final as (
    select
        *,
        {{ day_constant(since) }} as settled_before
    from totals
)

select * from final
