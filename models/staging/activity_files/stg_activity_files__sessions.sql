with source as (
    {{ versions(source('activity_files', 'sessions')) }}
),

final as (
    select
        athlete_id,
        record_id as activity_id,
        loaded_at,
        load_id,
        {{ json_text('payload', 'file_name') }} as file_name,
        {{ json_text('payload', 'content_hash') }} as content_hash,
        {{ json_text('payload', 'format') }} as file_format,
        {{ json_text('payload', 'parser') }} as parser,
        {{ json_text('payload', 'parser_version') }} as parser_version,
        {{ json_text('payload', 'device') }} as device,
        {{ json_int('payload', 'session') }} as session_number,
        {{ json_int('payload', 'sessions') }} as sessions,
        coalesce({{ json_text('payload', 'is_partial') }} = 'true', false) as is_partial,
        {{ utc_timestamp(json_text('payload', 'started_at')) }} as started_at,
        {{ json_int('payload', 'utc_offset_s') }} as utc_offset_s,
        {{ json_text('payload', 'name') }} as name,
        lower({{ json_text('payload', 'sport') }}) as sport,
        lower({{ json_text('payload', 'sub_sport') }}) as sub_sport,
        {{ json_int('payload', 'points') }} as points,
        {{ json_float('payload', 'elapsed_time_s') }} as elapsed_time_s,
        {{ json_float('payload', 'moving_time_s') }} as moving_time_s,
        {{ json_float('payload', 'timer_time_s') }} as timer_time_s,
        {{ json_float('payload', 'distance_m') }} as distance_m,
        {{ json_float('payload', 'elevation_gain_m') }} as elevation_gain_m,
        {{ json_float('payload', 'average_heartrate_bpm') }} as average_heartrate_bpm,
        {{ json_float('payload', 'max_heartrate_bpm') }} as max_heartrate_bpm,
        {{ json_float('payload', 'average_power_w') }} as average_power_w,
        {{ json_float('payload', 'max_power_w') }} as max_power_w,
        {{ json_float('payload', 'normalized_power_w') }} as stated_normalized_power_w,
        {{ json_float('payload', 'energy_kcal') }} as energy_kcal,
        coalesce({{ json_int('payload', 'dropped_points') }}, 0) as dropped_points,
        coalesce({{ json_int('payload', 'clock_jumps') }}, 0) as clock_jumps,
        coalesce({{ json_int('payload', 'gps_jumps') }}, 0) as gps_jumps,
        coalesce({{ json_int('payload', 'gaps') }}, 0) as gaps,
        {{ json_float('payload', 'min_latitude_deg') }} as min_latitude_deg,
        {{ json_float('payload', 'max_latitude_deg') }} as max_latitude_deg,
        {{ json_float('payload', 'min_longitude_deg') }} as min_longitude_deg,
        {{ json_float('payload', 'max_longitude_deg') }} as max_longitude_deg,
        {{ json_text('payload', 'polyline') }} as polyline
    from source
)

select * from final
