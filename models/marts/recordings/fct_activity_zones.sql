{{ config(**daily('activity_date', lookback_days=2)) }}

with activities as (
    select * from {{ ref('int_activity_recordings') }}
),

recorded as (
    select * from {{ ref('int_recording_values') }}
),

zones as (
    select * from {{ ref('int_zone_bounds') }}
),

final as (
    select
        activities.athlete_id,
        activities.activity_id,
        activities.activity_date,
        zones.zone_type,
        zones.zone,
        zones.from_value,
        zones.to_value,
        zones.is_stated,
        cast(sum(recorded.time_s) as int64) as time_s
    from recorded
    inner join activities
        on recorded.athlete_id = activities.athlete_id and recorded.activity_id = activities.recording_id
    inner join zones
        on
            activities.athlete_id = zones.athlete_id
            and recorded.channel = zones.zone_type
            and activities.activity_date >= zones.valid_from
            and activities.activity_date < zones.valid_before
            and recorded.value >= zones.from_value
            and recorded.value < coalesce(zones.to_value, recorded.value + 1)
    -- pace zones are of runs
    where recorded.channel <> 'pace' or activities.sport_family = 'run'
    group by
        activities.athlete_id,
        activities.activity_id,
        activities.activity_date,
        zones.zone_type,
        zones.zone,
        zones.from_value,
        zones.to_value,
        zones.is_stated
)

select * from final
