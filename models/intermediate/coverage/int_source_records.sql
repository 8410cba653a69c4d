{{ config(meta={'day': 'record_date'}) }}

with activities as (
    select * from {{ ref('int_activities_localized') }}
),

steps as (
    select * from {{ ref('int_steps_by_source') }}
),

meals as (
    select * from {{ ref('int_meals_localized') }}
),

final as (
    select
        athlete_id,
        source,
        'activities' as area,
        activity_date as record_date,
        loaded_at
    from activities
    union all
    select
        athlete_id,
        step_source as source,
        'steps' as area,
        steps_date as record_date,
        loaded_at
    from steps
    where is_believable
    union all
    select
        athlete_id,
        'meals' as source,
        'meals' as area,
        meal_date as record_date,
        loaded_at
    from meals
    where is_believable
)

select * from final
