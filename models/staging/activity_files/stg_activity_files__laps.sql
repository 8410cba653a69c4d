with source as (
    {{ versions(source('activity_files', 'laps')) }}
),

final as (
    select
        athlete_id,
        record_id as lap_id,
        loaded_at,
        load_id,
        {{ json_text('payload', 'activity_id') }} as activity_id,
        {{ json_int('payload', 'lap') }} as lap,
        {{ utc_timestamp(json_text('payload', 'started_at')) }} as started_at,
        {{ json_float('payload', 'elapsed_time_s') }} as elapsed_s,
        {{ json_float('payload', 'moving_time_s') }} as moving_s,
        {{ json_float('payload', 'distance_m') }} as distance_m,
        {{ json_float('payload', 'average_heartrate_bpm') }} as average_heartrate_bpm,
        {{ json_float('payload', 'max_heartrate_bpm') }} as max_heartrate_bpm,
        {{ json_float('payload', 'average_power_w') }} as average_power_w,
        {{ json_float('payload', 'elevation_gain_m') }} as elevation_gain_m
    from source
)

select * from final
