{{ config(**daily('activity_date', lookback_days=2)) }}

with activities as (
    select * from {{ ref('int_activity_recordings') }}
),

recordings as (
    select * from {{ ref('int_recordings') }}
),

summaries as (
    select * from {{ ref('int_recording_summaries') }}
),

final as (
    select
        activities.athlete_id,
        activities.activity_id,
        activities.activity_date,
        activities.recording_id,
        recordings.points,
        summaries.moving_time_s,
        summaries.average_power_w,
        summaries.normalized_power_w,
        case
            when activities.sport_family in ('run', 'walk', 'hike')
                then {{ pace_min_per_km('summaries.grade_adjusted_distance_m', 'summaries.moving_time_s') }}
        end as grade_adjusted_pace_min_per_km,
        summaries.decoupling_pct,
        summaries.efficiency_factor,
        case when summaries.efficiency_factor is not null then summaries.efficiency_method end as efficiency_method,
        recordings.polyline,
        recordings.min_latitude_deg,
        recordings.max_latitude_deg,
        recordings.min_longitude_deg,
        recordings.max_longitude_deg,
        recordings.is_partial,
        recordings.gaps,
        recordings.dropped_points,
        recordings.clock_jumps,
        recordings.gps_jumps
    from activities
    inner join recordings
        on activities.athlete_id = recordings.athlete_id and activities.recording_id = recordings.activity_id
    inner join summaries
        on activities.athlete_id = summaries.athlete_id and activities.recording_id = summaries.activity_id
)

select * from final
