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
        {{ json_float('payload', 'average_watts') }} as average_power_w,
        {{ json_float('payload', 'weighted_average_watts') }} as weighted_average_power_w,
        {{ json_float('payload', 'max_watts') }} as max_power_w,
        {{ json_float('payload', 'average_cadence') }} as average_cadence_rpm,
        cast(null as float64) as max_cadence_rpm,
        {{ json_float('payload', 'kilojoules') }} * 1000 as total_work_j,
        {{ json_float('payload', 'suffer_score') }} as relative_effort,
        cast(null as float64) as training_load_stated,
        cast(null as float64) as intensity_stated,
        {{ json_float('payload', 'perceived_exertion') }} as perceived_exertion,
        cast(null as float64) as grade_adjusted_distance_m,
        cast(null as float64) as elevation_loss_m,
        {{ json_float('payload', 'elev_low') }} as elevation_low_m,
        {{ json_float('payload', 'elev_high') }} as elevation_high_m,
        {{ json_float('payload', 'average_temp') }} as average_temperature_c,
        cast(null as float64) as weather_temperature_c,
        cast(null as float64) as apparent_temperature_c,
        cast(null as float64) as humidity_pct,
        cast(null as float64) as wind_speed_m_s,
        cast(null as string) as weather_condition,
        cast(null as int64) as total_steps,
        cast(null as int64) as total_cycles,
        case {{ json_int('payload', 'workout_type') }}
            when 1 then 'race'
            when 11 then 'race'
            when 2 then 'long_run'
            when 3 then 'workout'
            when 12 then 'workout'
        end as workout_type,
        {{ json_text('payload', 'device_name') }} as device_name,
        {{ json_text('payload', 'upload_id') }} is not null as is_from_upload,
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
        average_power_w,
        weighted_average_power_w,
        max_power_w,
        average_cadence_rpm,
        max_cadence_rpm,
        total_work_j,
        relative_effort,
        training_load_stated,
        intensity_stated,
        perceived_exertion,
        grade_adjusted_distance_m,
        elevation_loss_m,
        elevation_low_m,
        elevation_high_m,
        average_temperature_c,
        weather_temperature_c,
        apparent_temperature_c,
        humidity_pct,
        wind_speed_m_s,
        weather_condition,
        total_steps,
        total_cycles,
        workout_type,
        device_name,
        is_from_upload,
        gear_id,
        is_manual,
        is_commute,
        -- the API does not name the file
        cast(null as string) as filename
    from typed
)

select * from final
