{{ config(**daily('activity_date')) }}

with activities as (
    select * from {{ ref('int_activities_localized') }}
),

distance_bands as (
    select * from {{ ref('distance_bands') }}
),

final as (
    select
        activities.athlete_id,
        activities.activity_id,
        activities.source,
        activities.sources,
        activities.name,
        activities.sport_type,
        activities.sport_family,
        activities.activity_date,
        activities.is_dated_by_api,
        activities.started_at,
        activities.timezone,
        activities.distance_m,
        activities.moving_time_s,
        activities.elapsed_time_s,
        activities.elevation_gain_m,
        {{ speed_m_s('activities.distance_m', 'activities.moving_time_s') }} as average_speed_m_s,
        {{ pace_min_per_km('activities.distance_m', 'activities.moving_time_s') }} as pace_min_per_km,
        activities.average_heartrate_bpm,
        activities.max_heartrate_bpm,
        activities.energy_kcal,
        activities.average_power_w,
        activities.weighted_average_power_w,
        activities.max_power_w,
        activities.average_cadence_rpm,
        activities.max_cadence_rpm,
        activities.total_work_j,
        activities.relative_effort,
        activities.training_load_stated,
        activities.intensity_stated,
        activities.perceived_exertion,
        activities.grade_adjusted_distance_m,
        activities.elevation_loss_m,
        activities.elevation_low_m,
        activities.elevation_high_m,
        activities.average_temperature_c,
        activities.weather_temperature_c,
        activities.apparent_temperature_c,
        activities.humidity_pct,
        activities.wind_speed_m_s,
        activities.weather_condition,
        activities.total_steps,
        activities.total_cycles,
        activities.workout_type,
        activities.device_name,
        activities.is_from_upload,
        activities.gear_id,
        distance_bands.distance_band,
        activities.is_manual,
        activities.is_commute,
        activities.is_transition
    from activities
    left join distance_bands
        on
            activities.distance_m > 0
            and activities.distance_m >= distance_bands.distance_from_m
            and activities.distance_m < coalesce(distance_bands.distance_to_m, activities.distance_m + 1)
)

select * from final
