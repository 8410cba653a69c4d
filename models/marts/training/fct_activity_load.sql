{{ config(**daily('activity_date')) }}

with activities as (
    select * from {{ ref('fct_activities') }}
),

settings as (
    select * from {{ ref('int_athlete_settings_scd') }}
),

sport_loads as (
    select * from {{ ref('sport_loads') }}
),

measured as (
    select
        activities.athlete_id,
        activities.activity_id,
        activities.source,
        activities.is_dated_by_api,
        activities.sport_family,
        activities.activity_date,
        activities.started_at,
        activities.moving_time_s,
        activities.training_load_stated,
        settings.sex,
        settings.is_own,
        sport_loads.load_per_hour,
        settings.lactate_threshold_heartrate_bpm is null as is_threshold_derived,
        activities.weighted_average_power_w / nullif(settings.ftp_w, 0) as power_intensity,
        {{ heart_rate_reserve(
            'activities.average_heartrate_bpm', 'settings.resting_heartrate_bpm', 'settings.max_heartrate_bpm'
        ) | indent(8) }} as reserve,
        {{ heart_rate_reserve(
            'coalesce(settings.lactate_threshold_heartrate_bpm, 0.9 * settings.max_heartrate_bpm)',
            'settings.resting_heartrate_bpm',
            'settings.max_heartrate_bpm'
        ) | indent(8) }} as reserve_at_threshold
    from activities
    inner join settings on activities.athlete_id = settings.athlete_id and {{ in_force_on('activities.activity_date') }}
    left join sport_loads on activities.sport_family = sport_loads.sport_family
),

weighed as (
    select
        *,
        case
            when reserve is not null then {{ trimp('moving_time_s / 60.0', 'reserve', 'sex') | indent(12) }}
        end as trimp,
        {{ trimp('60.0', 'reserve_at_threshold', 'sex') | indent(8) }} as trimp_of_threshold_hour
    from measured
),

compared as (
    select
        *,
        case
            when power_intensity > 0 then moving_time_s / 3600.0 * power_intensity * power_intensity * 100
        end as power_load,
        trimp / nullif(trimp_of_threshold_hour, 0) * 100 as heartrate_load,
        moving_time_s / 3600.0 * load_per_hour as duration_load
    from weighed
),

final as (
    select
        athlete_id,
        activity_id,
        activity_date,
        started_at,
        sport_family,
        coalesce(power_load, heartrate_load, training_load_stated, duration_load) as training_load,
        -- the best method that the data allow; per-second heart rates are in no file that is read today
        case
            when power_load is not null then 'power'
            when heartrate_load is not null then 'average_heart_rate'
            when training_load_stated is not null then 'stated'
            else 'duration'
        end as load_method,
        case when power_load is not null then power_intensity end as intensity_factor,
        trimp,
        case
            when power_load is null and heartrate_load is not null then is_threshold_derived
        end as is_threshold_derived,
        case when trimp is not null then sex is null end as is_sex_assumed,
        not is_own as is_by_default_settings,
        source = 'strava_api' or is_dated_by_api as has_strava_api
    from compared
)

select * from final
