with source as (
    {{ versions(source('steps', 'daily')) }}
),

final as (
    select
        athlete_id,
        record_id,
        {{ json_text('payload', 'source') }} as step_source,
        {{ cast_or_null(json_text('payload', 'date'), 'date') }} as steps_date,
        -- a blank cell stays null: nothing was observed, which is not zero steps
        {{ json_int('payload', 'steps') }} as steps,
        loaded_at,
        load_id,
        {{ is_deleted('payload') }} as is_deleted
    from source
)

select * from final
