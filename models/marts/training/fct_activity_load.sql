{{ config(**daily('activity_date', lookback_days=2)) }}

with activities as (
    select * from {{ ref('fct_activities') }}
    where is_transition is not true
),

recorded as (
    select * from {{ ref('fct_activity_streams_summary') }}
),

recordings as (
    select * from {{ ref('int_activity_recordings') }}
),

heartrates as (
    select * from {{ ref('int_recording_values') }}
    where channel = 'heartrate'
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
        -- the power of every second, if a file has it, else what the source states
        coalesce(recorded.normalized_power_w, activities.weighted_average_power_w)
        / nullif(settings.ftp_w, 0) as power_intensity,
        settings.resting_heartrate_bpm,
        settings.max_heartrate_bpm as max_heartrate_setting_bpm,
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
    left join recorded
        on activities.athlete_id = recorded.athlete_id and activities.activity_id = recorded.activity_id
),

second_reserves as (
    select
        measured.athlete_id,
        measured.activity_id,
        measured.sex,
        heartrates.time_s,
        {{ heart_rate_reserve(
            'heartrates.value', 'measured.resting_heartrate_bpm', 'measured.max_heartrate_setting_bpm'
        ) | indent(8) }} as reserve
    from measured
    inner join recordings
        on measured.athlete_id = recordings.athlete_id and measured.activity_id = recordings.activity_id
    inner join heartrates
        on recordings.athlete_id = heartrates.athlete_id and recordings.recording_id = heartrates.activity_id
),

-- the mean of the seconds with a heart rate holds for the whole moving time
trimps_by_second as (
    select
        athlete_id,
        activity_id,
        {{ exact_sum(trimp('time_s / 60.0', 'reserve', 'sex')) }} * 60 / nullif(sum(time_s), 0) as trimp_per_minute
    from second_reserves
    where reserve is not null
    group by athlete_id, activity_id
),

weighed as (
    select
        measured.*,
        trimps_by_second.trimp_per_minute is not null as is_by_second,
        coalesce(
            measured.moving_time_s / 60.0 * trimps_by_second.trimp_per_minute,
            case
                when measured.reserve is not null
                    then {{ trimp('measured.moving_time_s / 60.0', 'measured.reserve', 'measured.sex') | indent(20) }}
            end
        ) as trimp,
        {{ trimp('60.0', 'measured.reserve_at_threshold', 'measured.sex') | indent(8) }} as trimp_of_threshold_hour
    from measured
    left join trimps_by_second
        on measured.athlete_id = trimps_by_second.athlete_id and measured.activity_id = trimps_by_second.activity_id
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
        -- the best method that the data allow
        case
            when power_load is not null then 'power'
            when heartrate_load is not null and is_by_second then 'heart_rate'
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
