with source as (
    {{ versions(source('steps', 'intervals')) }}
),

typed as (
    select
        athlete_id,
        record_id,
        loaded_at,
        load_id,
        {{ is_deleted('payload') }} as is_deleted,
        {{ json_text('payload', 'source') }} as step_source,
        {{ json_text('payload', 'source_name') }} as device_name,
        {{ json_text('payload', 'device') }} as device,
        {{ utc_timestamp(json_text('payload', 'started_at')) }} as started_at,
        {{ utc_timestamp(json_text('payload', 'ended_at')) }} as ended_at,
        {{ dbt.safe_cast(json_text('payload', 'date'), 'date') }} as stated_date,
        {{ json_int('payload', 'steps') }} as steps
    from source
),

final as (
    select
        athlete_id,
        record_id,
        step_source,
        coalesce(device_name, '') as device_name,
        case
            when lower(coalesce(device, device_name)) like '%apple watch%' then 'watch'
            when lower(coalesce(device, device_name)) like '%iphone%' then 'phone'
            else 'other'
        end as device_kind,
        started_at,
        ended_at,
        stated_date,
        steps,
        loaded_at,
        load_id,
        is_deleted
    from typed
)

select * from final
