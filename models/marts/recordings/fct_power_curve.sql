{{ config(meta={'reads_all_days': true}) }}

with activities as (
    select * from {{ ref('int_activity_recordings') }}
    where is_transition is not true
),

curve as (
    select * from {{ ref('int_recording_power_curve') }}
),

athletes as (
    select * from {{ ref('int_athletes_as_of') }}
),

dated as (
    select
        activities.athlete_id,
        activities.activity_id,
        activities.activity_date,
        activities.sport_family,
        cast(curve.duration_s as int64) as duration_s,
        curve.power_w,
        {{ day_number('athletes.as_of_date') }} - {{ day_number('activities.activity_date') }} as days_ago
    from curve
    inner join activities on curve.athlete_id = activities.athlete_id and curve.activity_id = activities.recording_id
    inner join athletes on activities.athlete_id = athletes.athlete_id
),

final as (
    select
        athlete_id,
        activity_id,
        activity_date,
        sport_family,
        duration_s,
        power_w,
        max(case when days_ago < 28 then power_w end) over of_duration as best_4_weeks_w,
        max(case when days_ago < 365 then power_w end) over of_duration as best_year_w,
        max(power_w) over of_duration as best_all_time_w
    from dated
    window of_duration as (partition by athlete_id, sport_family, duration_s)
)

select * from final
