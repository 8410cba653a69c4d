with source as (
    {{ versions(source('strava_export', 'gear')) }}
),

final as (
    select
        athlete_id,
        record_id,
        -- the export's activities name their gear by this text; it has no other id
        {{ json_text('payload', 'name') }} as gear_id,
        {{ json_text('payload', 'gear_type') }} as gear_type,
        nullif({{ json_text('payload', 'brand') }}, '') as brand,
        nullif({{ json_text('payload', 'model') }}, '') as model,
        loaded_at,
        load_id,
        {{ is_deleted('payload') }} as is_deleted
    from source
)

select * from final
