{{ config(**daily('activity_date', lookback_days=2)) }}

with activities as (
    select * from {{ ref('int_activities_localized') }}
    where recording_id is not null
),

recordings as (
    select * from {{ ref('int_recordings') }}
),

final as (
    select
        activities.athlete_id,
        activities.activity_id,
        activities.recording_id,
        activities.activity_date,
        activities.sport_type,
        activities.sport_family,
        activities.is_transition,
        activities.timezone,
        recordings.recorded_on
    from activities
    inner join recordings
        on activities.athlete_id = recordings.athlete_id and activities.recording_id = recordings.activity_id
)

select * from final
