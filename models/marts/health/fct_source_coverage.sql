with athletes as (
    select * from {{ ref('int_athletes_dated') }}
),

records as (
    select
        athlete_id,
        source,
        'activities' as area,
        activity_date as record_date,
        loaded_at
    from {{ ref('int_activities_localized') }}
    union all
    select
        athlete_id,
        step_source as source,
        'steps' as area,
        steps_date as record_date,
        loaded_at
    from {{ ref('int_steps_by_source') }}
    union all
    select
        athlete_id,
        'meals' as source,
        'meals' as area,
        meal_date as record_date,
        loaded_at
    from {{ ref('int_meals_localized') }}
),

summed as (
    select
        athlete_id,
        area,
        source,
        count(*) as records,
        min(record_date) as first_date,
        max(record_date) as last_date,
        count(distinct record_date) as observed_days,
        max(loaded_at) as last_loaded_at
    from records
    group by athlete_id, area, source
),

final as (
    select
        summed.athlete_id,
        summed.area,
        summed.source,
        summed.records,
        summed.first_date,
        summed.last_date,
        summed.observed_days,
        {{ day_number('athletes.as_of_date') }} - {{ day_number('summed.first_date') }} + 1 - summed.observed_days
            as missing_days,
        summed.last_loaded_at
    from summed
    inner join athletes on summed.athlete_id = athletes.athlete_id
)

select * from final
