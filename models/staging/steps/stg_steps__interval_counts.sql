with source as (
    {{ current_versions(source('steps', 'intervals')) }}
),

final as (
    select
        athlete_id,
        {{ json_text('payload', 'source') }} as step_source,
        {{ utc_timestamp(json_text('payload', 'started_at')) }} as started_at,
        {{ json_int('payload', 'steps') }} as steps,
        loaded_at
    from source
)

select * from final
