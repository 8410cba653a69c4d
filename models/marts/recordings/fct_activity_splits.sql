{{ config(**daily('activity_date', lookback_days=2)) }}

with activities as (
    select * from {{ ref('int_activity_recordings') }}
),

recordings as (
    select * from {{ ref('int_recordings') }}
),

splits as (
    select * from {{ ref('int_recording_splits') }}
),

final as (
    select
        activities.athlete_id,
        activities.activity_id,
        activities.activity_date,
        splits.unit,
        splits.split,
        cast({{ dbt.dateadd('second', 'cast(splits.start_offset_s as int64)', 'recordings.started_at') }} as timestamp)
            as started_at,
        splits.start_offset_s,
        splits.elapsed_s,
        splits.moving_s,
        splits.distance_m,
        {{ pace_min_per_km('splits.distance_m', 'splits.moving_s') }} as pace_min_per_km,
        splits.average_heartrate_bpm,
        splits.average_power_w,
        splits.climb_m as elevation_gain_m
    from splits
    inner join activities on splits.athlete_id = activities.athlete_id and splits.activity_id = activities.recording_id
    inner join recordings on splits.athlete_id = recordings.athlete_id and splits.activity_id = recordings.activity_id
)

select * from final
