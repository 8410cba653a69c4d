{{ config(**latest()) }}

with athletes as (
    select * from {{ ref('int_athletes_as_of') }}
),

totals as (
    select * from {{ ref('int_source_totals') }}
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
    inner join athletes on totals.athlete_id = athletes.athlete_id and totals.date_day = athletes.as_of_date
)

select * from final
