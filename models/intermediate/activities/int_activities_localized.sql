{{ config(**daily('activity_date', lookback_days=2)) }}

with strava as (
    select * from {{ ref('int_strava_activities') }}
),

recordings as (
    select * from {{ ref('int_recordings') }}
),

matches as (
    select * from {{ ref('int_recording_matches') }}
    where is_chosen
),

settings as (
    select * from {{ ref('int_athlete_settings_scd') }}
),

athletes as (
    select * from {{ ref('int_athletes_as_of') }}
),

sport_families as (
    select * from {{ ref('sport_families') }}
),

sport_names as (
    select * from {{ ref('sport_names') }}
),

time_zones as (
    select * from {{ ref('time_zones') }}
),

recorded as (
    select
        matches.activity_id as mart_id,
        recordings.*
    from recordings
    inner join matches
        on recordings.athlete_id = matches.athlete_id and recordings.activity_id = matches.recording_id
),

-- distance, times, climb and heart rate are the recording's, all else is Strava's; a file that is cut off has no totals
activities as (
    select
        coalesce(strava.athlete_id, recorded.athlete_id) as athlete_id,
        coalesce(strava.activity_id, recorded.mart_id) as activity_id,
        case when strava.athlete_id is null then 'activity_file' else strava.source end as source,
        concat(
            case when recorded.activity_id is null then '' else ',activity_file' end,
            case when strava.is_in_api then ',strava_api' else '' end,
            case when strava.is_in_export then ',strava_export' else '' end
        ) as listed_sources,
        recorded.activity_id as recording_id,
        coalesce(strava.is_same_in_both, false) as is_same_in_both,
        coalesce(strava.is_deleted, false) as is_deleted,
        case
            when strava.athlete_id is null then coalesce(recorded.name, recorded.sport_type) else strava.name
        end as name,
        strava.description,
        coalesce(strava.sport_type, recorded.sport_type) as sport_type,
        coalesce(strava.started_at, recorded.started_at) as started_at,
        strava.stated_date,
        strava.known_timezone,
        strava.known_utc_offset_s,
        recorded.utc_offset_s as recorded_utc_offset_s,
        coalesce({{ of_recording('distance_m') }}, strava.distance_m, recorded.distance_m, 0) as distance_m,
        cast(round(coalesce(
            {{ of_recording('moving_time_s') }}, strava.moving_time_s, recorded.moving_time_s, recorded.elapsed_time_s
        )) as int64) as moving_time_s,
        cast(round(coalesce(
            {{ of_recording('elapsed_time_s') }}, strava.elapsed_time_s, recorded.elapsed_time_s
        )) as int64) as elapsed_time_s,
        coalesce({{ of_recording('elevation_gain_m') }}, strava.elevation_gain_m, recorded.elevation_gain_m, 0)
            as elevation_gain_m,
        coalesce(
            {{ of_recording('average_heartrate_bpm') }}, strava.average_heartrate_bpm, recorded.average_heartrate_bpm
        ) as average_heartrate_bpm,
        coalesce({{ of_recording('max_heartrate_bpm') }}, strava.max_heartrate_bpm, recorded.max_heartrate_bpm)
            as max_heartrate_bpm,
        coalesce(strava.energy_kcal, recorded.energy_kcal) as energy_kcal,
        coalesce({{ of_recording('average_power_w') }}, strava.average_power_w, recorded.average_power_w)
            as average_power_w,
        coalesce(
            {{ of_recording('stated_normalized_power_w') }},
            strava.weighted_average_power_w,
            recorded.stated_normalized_power_w
        ) as weighted_average_power_w,
        coalesce({{ of_recording('max_power_w') }}, strava.max_power_w, recorded.max_power_w) as max_power_w,
        strava.average_cadence_rpm,
        strava.max_cadence_rpm,
        strava.total_work_j,
        strava.relative_effort,
        strava.training_load_stated,
        strava.intensity_stated,
        strava.perceived_exertion,
        strava.grade_adjusted_distance_m,
        strava.elevation_loss_m,
        strava.elevation_low_m,
        strava.elevation_high_m,
        strava.average_temperature_c,
        strava.weather_temperature_c,
        strava.apparent_temperature_c,
        strava.humidity_pct,
        strava.wind_speed_m_s,
        strava.weather_condition,
        strava.total_steps,
        strava.total_cycles,
        strava.workout_type,
        coalesce(strava.device_name, recorded.device) as device_name,
        strava.is_from_upload,
        strava.gear_id,
        coalesce(strava.is_manual and recorded.activity_id is null, false) as is_manual,
        coalesce(strava.is_commute, false) as is_commute,
        greatest(
            coalesce(strava.loaded_at, recorded.loaded_at), coalesce(recorded.loaded_at, strava.loaded_at)
        ) as loaded_at,
        coalesce(strava.load_id, recorded.load_id) as load_id
    from strava
    full outer join recorded on strava.athlete_id = recorded.athlete_id and strava.activity_id = recorded.mart_id
),

localized as (
    select
        activities.*,
        coalesce(time_zones.timezone, settings.timezone) as timezone,
        {{ local_date('activities.started_at', 'settings.timezone') }} as date_at_home,
        -- only the API knows where the activity was, also if the row is from the export; a device knows its clock
        coalesce(
            activities.stated_date,
            cast({{ dbt.dateadd('second', 'activities.known_utc_offset_s', 'activities.started_at') }} as date)
        ) as date_of_api,
        cast({{ dbt.dateadd('second', 'activities.recorded_utc_offset_s', 'activities.started_at') }} as date)
            as date_of_device
    from activities
    left join time_zones on activities.known_timezone = time_zones.timezone
    inner join settings on activities.athlete_id = settings.athlete_id and {{ in_force_at('activities.started_at') }}
),

dated as (
    select
        *,
        coalesce(date_of_api, date_of_device, date_at_home) as activity_date
    from localized
),

final as (
    select
        dated.athlete_id,
        dated.activity_id,
        dated.source,
        substr(dated.listed_sources, 2) as sources,
        dated.recording_id,
        dated.is_same_in_both,
        dated.name,
        dated.description,
        coalesce(sport_families.sport_type, sport_names.sport_type, dated.sport_type) as sport_type,
        coalesce(sport_families.sport_family, 'other') as sport_family,
        coalesce(strpos(dated.sport_type, 'Transition') > 0, false) as is_transition,
        dated.activity_date,
        coalesce(dated.source = 'strava_export' and dated.date_of_api <> dated.date_at_home, false) as is_dated_by_api,
        dated.started_at,
        dated.timezone,
        dated.distance_m,
        dated.moving_time_s,
        dated.elapsed_time_s,
        dated.elevation_gain_m,
        dated.average_heartrate_bpm,
        dated.max_heartrate_bpm,
        dated.energy_kcal,
        dated.average_power_w,
        dated.weighted_average_power_w,
        dated.max_power_w,
        dated.average_cadence_rpm,
        dated.max_cadence_rpm,
        dated.total_work_j,
        dated.relative_effort,
        dated.training_load_stated,
        dated.intensity_stated,
        dated.perceived_exertion,
        dated.grade_adjusted_distance_m,
        dated.elevation_loss_m,
        dated.elevation_low_m,
        dated.elevation_high_m,
        dated.average_temperature_c,
        dated.weather_temperature_c,
        dated.apparent_temperature_c,
        dated.humidity_pct,
        dated.wind_speed_m_s,
        dated.weather_condition,
        dated.total_steps,
        dated.total_cycles,
        dated.workout_type,
        dated.device_name,
        dated.is_from_upload,
        dated.gear_id,
        dated.is_manual,
        dated.is_commute,
        dated.loaded_at,
        dated.load_id
    from dated
    inner join athletes on dated.athlete_id = athletes.athlete_id
    -- the names of staging have no spaces and hyphens
    left join sport_names
        on lower(dated.sport_type) = lower(replace(replace(sport_names.sport_name, ' ', ''), '-', ''))
    left join sport_families
        on lower(coalesce(sport_names.sport_type, dated.sport_type)) = lower(sport_families.sport_type)
    where not dated.is_deleted and dated.activity_date <= athletes.as_of_date
)

select * from final
