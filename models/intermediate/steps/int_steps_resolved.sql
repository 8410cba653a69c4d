{{ config(**daily('steps_date')) }}

with steps_by_source as (
    select * from {{ ref('int_steps_by_source') }}
),

final as (
    select
        athlete_id,
        steps_date,
        steps,
        step_source,
        count(*) over (partition by athlete_id, steps_date) as step_sources
    from steps_by_source
    -- devices count the same walk: the highest count is chosen, for equal counts the first source by name
    qualify row_number() over (partition by athlete_id, steps_date order by steps desc, step_source asc) = 1
)

select * from final
