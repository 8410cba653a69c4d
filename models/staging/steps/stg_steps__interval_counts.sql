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
        coalesce({{ json_text('payload', 'source_name') }}, '') as device_name,
        {{ json_text('payload', 'device') }} as device,
        {{ json_text('payload', 'device_type') }} as device_type,
        {{ utc_timestamp(json_text('payload', 'started_at')) }} as started_at,
        {{ utc_timestamp(json_text('payload', 'ended_at')) }} as ended_at,
        {{ cast_or_null(json_text('payload', 'date'), 'date') }} as stated_date,
        {{ cast_or_null(json_text('payload', 'end_date'), 'date') }} as stated_end_date,
        {{ json_int('payload', 'utc_offset_s') }} as utc_offset_s,
        {{ json_float('payload', 'steps') }} as steps
    from source
),

final as (
    select
        athlete_id,
        record_id,
        step_source,
        device_name,
        -- two phones may have one name; an update of the software makes no other device
        device_name || '|' || coalesce(substr(device, 1, strpos(device || ', software:', ', software:') - 1), '')
            as device_key,
        case
            when device_type is not null then device_type
            when lower(coalesce(device, device_name)) like '%apple watch%' then 'watch'
            when lower(coalesce(device, device_name)) like '%iphone%' then 'phone'
            else 'other'
        end as device_kind,
        started_at,
        ended_at,
        stated_date,
        stated_end_date,
        utc_offset_s,
        steps,
        loaded_at,
        load_id,
        is_deleted
    from typed
)

select * from final
