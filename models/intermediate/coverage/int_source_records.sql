{{ config(meta={'day': 'record_date'}) }}

with final as (
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
)

select * from final
