with source as (
    select
        athlete_id,
        record_id,
        payload,
        loaded_at
    from {{ source('steps', 'daily') }}
    {{ latest_version() }}
),

typed as (
    select
        athlete_id,
        loaded_at,
        {{ json_text('payload', 'source') }} as step_source,
        {{ dbt.safe_cast(json_text('payload', 'date'), 'date') }} as steps_date,
        {{ json_int('payload', 'steps') }} as steps
    from source
),

final as (
    select
        athlete_id,
        step_source,
        steps_date,
        steps,
        loaded_at
    from typed
    -- a blank cell says that nothing was observed, which is not zero steps
    where steps is not null
)

select * from final
