with source as (
    {{ versions(source('strava_api', 'activities')) }}
),

typed as (
    select
        athlete_id,
        record_id as activity_id,
        'strava_api' as source,
        loaded_at,
        load_id,
        {{ is_deleted('payload') }} as is_deleted,
        {{ json_text('payload', 'name') }} as name,
        {{ json_text('payload', 'description') }} as description,
        -- `type` is older than `sport_type` and less exact: a trail run is a run
        coalesce({{ json_text('payload', 'sport_type') }}, {{ json_text('payload', 'type') }}) as sport_type,
        {{ utc_timestamp(json_text('payload', 'start_date')) }} as started_at,
        -- a local time, although it ends in Z
        {{ cast_or_null('substr(' ~ json_text('payload', 'start_date_local') ~ ', 1, 10)', 'date') }}
            as stated_date,
        cast(round((
            {{ unix_milliseconds(utc_timestamp(json_text('payload', 'start_date_local'))) }}
            - {{ unix_milliseconds(utc_timestamp(json_text('payload', 'start_date'))) }}
        ) / 1000) as int64) as utc_offset_s,
        -- "(GMT-05:00) America/New_York"; the offset is the standard one in every season
        {{ json_text('payload', 'timezone') }} as timezone,
        case when {{ json_text('payload', 'distance') }} is null then 0 else {{ json_float('payload', 'distance') }} end
            as distance_m,
        {{ json_int('payload', 'moving_time') }} as moving_time_s,
        {{ json_int('payload', 'elapsed_time') }} as elapsed_time_s,
        {{ json_float('payload', 'total_elevation_gain') }} as elevation_gain_m,
        {{ json_float('payload', 'average_heartrate') }} as average_heartrate_bpm,
        {{ json_float('payload', 'max_heartrate') }} as max_heartrate_bpm,
        {{ json_float('payload', 'calories') }} as energy_kcal,
        {{ json_text('payload', 'gear_id') }} as gear_id,
        coalesce({{ json_text('payload', 'manual') }} = 'true', false) as is_manual,
        coalesce({{ json_text('payload', 'commute') }} = 'true', false) as is_commute
    from source
),

final as (
    select
        athlete_id,
        activity_id,
        source,
        loaded_at,
        load_id,
        is_deleted,
        name,
        description,
        sport_type,
        started_at,
        stated_date,
        -- "Factory" is what a device without a zone has
        nullif(
            substr(timezone, strpos(timezone, ') ') + case when strpos(timezone, ') ') > 0 then 2 else 1 end), 'Factory'
        ) as stated_timezone,
        utc_offset_s,
        distance_m,
        coalesce(moving_time_s, elapsed_time_s) as moving_time_s,
        elapsed_time_s,
        coalesce(elevation_gain_m, 0) as elevation_gain_m,
        average_heartrate_bpm,
        max_heartrate_bpm,
        energy_kcal,
        gear_id,
        is_manual,
        is_commute
    from typed
)

select * from final
