with source as (
    {{ versions(source('strava_export', 'activities')) }}
),

typed as (
    select
        athlete_id,
        record_id as activity_id,
        'strava_export' as source,
        loaded_at,
        load_id,
        {{ is_deleted('payload') }} as is_deleted,
        {{ json_text('payload', 'activity_name') }} as name,
        {{ json_text('payload', 'activity_description') }} as description,
        {{ utc_timestamp(json_text('payload', 'activity_date')) }} as started_at,
        {{ json_float('payload', 'distance_km') }} as distance_km,
        {{ json_float('payload', 'distance_m') }} as distance_m,
        {{ json_int('payload', 'elapsed_time') }} as elapsed_time_s,
        {{ json_int('payload', 'moving_time') }} as moving_time_s,
        {{ json_float('payload', 'elevation_gain') }} as elevation_gain_m,
        {{ json_float('payload', 'average_heart_rate') }} as average_heartrate_bpm,
        {{ json_float('payload', 'max_heart_rate') }} as max_heartrate_bpm,
        {{ json_float('payload', 'calories') }} as energy_kcal,
        {{ json_text('payload', 'activity_gear') }} as gear_id,
        {{ json_text('payload', 'filename') }} as filename,
        coalesce({{ json_text('payload', 'commute') }} = 'true', false) as is_commute,
        -- the export spells "Weight Training" and "E-Bike Ride", the API WeightTraining and EBikeRide
        replace(replace({{ json_text('payload', 'activity_type') }}, ' ', ''), '-', '') as sport_type
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
        -- the export has none of the three
        cast(null as date) as stated_date,
        cast(null as string) as stated_timezone,
        cast(null as int64) as utc_offset_s,
        coalesce(distance_m, distance_km * 1000, 0) as distance_m,
        -- the narrow eras and some manual activities have no moving time: the elapsed time counts as moving
        coalesce(moving_time_s, elapsed_time_s) as moving_time_s,
        elapsed_time_s,
        coalesce(elevation_gain_m, 0) as elevation_gain_m,
        average_heartrate_bpm,
        max_heartrate_bpm,
        energy_kcal,
        gear_id,
        filename is null as is_manual,
        is_commute,
        filename
    from typed
)

select * from final
