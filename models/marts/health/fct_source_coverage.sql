{% set settled = settled_before(ref('int_sources_settled')) %}

with athletes as (
    select * from {{ ref('int_athletes_dated') }}
),

records_since as (
    select * from {{ ref('int_records_dated') }}
    where record_date >= {{ day_constant(settled) }}
),

totals_since as (
    {{ source_totals('records_since') | indent }}
),

parts as (
    select * from totals_since
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
    from {{ ref('int_sources_settled') }}
),

totals as (
    {{ source_totals_together('parts') | indent }}
),

final as (
    select
        totals.athlete_id,
        totals.area,
        totals.source,
        totals.records,
        totals.first_date,
        totals.last_date,
        totals.observed_days,
        {{ day_number('athletes.as_of_date') }} - {{ day_number('totals.first_date') }} + 1 - totals.observed_days
            as missing_days,
        totals.last_loaded_at
    from totals
    inner join athletes on totals.athlete_id = athletes.athlete_id
)

select * from final
