with source as (
    {{ versions(source('steps', 'intervals')) }}
),

final as (
    select
        athlete_id,
        record_id,
        {{ json_text('payload', 'source') }} as step_source,
        {{ utc_timestamp(json_text('payload', 'started_at')) }} as started_at,
        {{ json_int('payload', 'steps') }} as steps,
        loaded_at,
        load_id,
        {{ is_deleted('payload') }} as is_deleted
    from source
)

select * from final
