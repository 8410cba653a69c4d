{{ config(**daily('started_on')) }}

with export_versions as (
    select * from {{ ref('stg_strava__export_activities') }}
),

export_activities as (
    {{ current_versions('export_versions', 'activity_id') | indent }}
),

api_versions as (
    select * from {{ ref('stg_strava__api_activities') }}
),

api_activities as (
    {{ current_versions('api_versions', 'activity_id') | indent }}
),

from_both_sources as (
    select * from export_activities
    union all
    select * from api_activities
),

compared as (
    select
        *,
        -- only the API knows where the activity was, also if the row is from the export
        max(stated_timezone) over of_activity as known_timezone,
        max(utc_offset_s) over of_activity as known_utc_offset_s,
        max(case when source = 'strava_api' then 1 else 0 end) over of_activity = 1 as is_in_api,
        max(case when source = 'strava_export' then 1 else 0 end) over of_activity = 1 as is_in_export,
        cast(started_at as date) as started_on,
        (
            count(*) over of_activity = 2
            and max(case when is_deleted then 1 else 0 end) over of_activity = 0
            and min(name) over of_activity = max(name) over of_activity
            and min(started_at) over of_activity = max(started_at) over of_activity
            and max(elapsed_time_s) over of_activity - min(elapsed_time_s) over of_activity <= 1
            -- the API rounds to tenths of a metre, the oldest exports to hundredths of a kilometre
            and max(distance_m) over of_activity - min(distance_m) over of_activity <= 10
        ) as is_same_in_both
    from from_both_sources
    -- what no reader lets through is set aside, and staging's tests warn of it
    where
        is_deleted
        or (distance_m >= 0 and moving_time_s >= 0 and elapsed_time_s >= 0 and sport_type is not null)
    window of_activity as (partition by athlete_id, activity_id)
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
        stated_timezone,
        utc_offset_s,
        distance_m,
        moving_time_s,
        elapsed_time_s,
        elevation_gain_m,
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
        filename,
        known_timezone,
        known_utc_offset_s,
        is_in_api,
        is_in_export,
        started_on,
        is_same_in_both
    from compared
    -- if both sources agree, the row of the export, which has more fields; else the row that was loaded later
    qualify
        row_number() over (
            partition by athlete_id, activity_id
            order by
                case when is_same_in_both and source = 'strava_export' then 1 else 0 end desc,
                loaded_at desc,
                load_id desc,
                source desc
        ) = 1
)

select * from final
