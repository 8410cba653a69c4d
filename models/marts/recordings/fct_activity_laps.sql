{{ config(**daily('activity_date', lookback_days=2)) }}

with activities as (
    select * from {{ ref('int_activity_recordings') }}
),

recordings as (
    select * from {{ ref('int_recordings') }}
),

laps as (
    select * from {{ ref('stg_activity_files__laps') }}
),

final as (
    select
        activities.athlete_id,
        activities.activity_id,
        activities.activity_date,
        laps.lap,
        laps.started_at,
        laps.elapsed_s,
        laps.moving_s,
        laps.distance_m,
        {{ pace_min_per_km('laps.distance_m', 'laps.moving_s') }} as pace_min_per_km,
        laps.average_heartrate_bpm,
        laps.max_heartrate_bpm,
        laps.average_power_w,
        laps.elevation_gain_m
    from laps
    inner join activities on laps.athlete_id = activities.athlete_id and laps.activity_id = activities.recording_id
    -- laps of an earlier reading have another load
    inner join recordings
        on
            laps.athlete_id = recordings.athlete_id
            and laps.activity_id = recordings.activity_id
    qualify
        row_number() over (
            partition by laps.athlete_id, laps.lap_id order by laps.loaded_at desc, laps.load_id desc
        ) = 1
)

select * from final
