{{ config(materialized='table') }}
{% set since = last_rebuild_from(ref('int_rebuild_window')) %}
{% set settled = totals_go_on_from(since) %}

with records as (
    select * from {{ ref('int_records_dated') }}
    where record_date >= {{ day_constant(settled) }} and record_date < {{ day_constant(since) }}
),

totals_added as (
    {{ source_totals('records') | indent }}
),

parts as (
    select * from totals_added
    {%- if settled > since_ever() %}
    union all
    select
        athlete_id,
        area,
        source,
        records,
        first_date,
        last_date,
        observed_days,
        last_loaded_at
    from {{ this }}
    {%- endif %}
),

totals as (
    {{ source_totals_together('parts') | indent }}
),

final as (
    select
        *,
        {{ day_constant(since) }} as settled_before
    from totals
)

select * from final
