{{ config(**daily('activity_date')) }}

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

told as (
    select * from export_activities
    union all
    select * from api_activities
),

compared as (
    select
        *,
        (
            count(*) over told_by_both = 2
            and max(case when is_deleted then 1 else 0 end) over told_by_both = 0
            and min(name) over told_by_both = max(name) over told_by_both
            and min(started_at) over told_by_both = max(started_at) over told_by_both
            and max(elapsed_time_s) over told_by_both - min(elapsed_time_s) over told_by_both <= 1
            -- the API rounds to tenths of a metre, the oldest exports to hundredths of a kilometre
            and max(distance_m) over told_by_both - min(distance_m) over told_by_both <= 10
        ) as is_told_alike
    from told
    window told_by_both as (partition by athlete_id, activity_id)
),

activities as (
    select * from compared
    -- of two that tell the same the export's row, which tells more; where one was edited or deleted, the later one
    qualify
        row_number() over (
            partition by athlete_id, activity_id
            order by
                case when is_told_alike and source = 'strava_export' then 1 else 0 end desc,
                loaded_at desc,
                load_id desc,
                source desc
        ) = 1
),

dated as (
    select
        activities.*,
        coalesce(activities.stated_timezone, settings.timezone) as timezone,
        coalesce(
            activities.stated_date, {{ local_date('activities.started_at', 'settings.timezone') }}
        ) as activity_date
    from activities
    inner join settings on activities.athlete_id = settings.athlete_id and {{ in_force_at('activities.started_at') }}
),

final as (
    select
        dated.athlete_id,
        dated.activity_id,
        dated.source,
        dated.name,
        dated.description,
        coalesce(sport_families.sport_type, sport_names.sport_type, dated.sport_type) as sport_type,
        coalesce(sport_families.sport_family, 'other') as sport_family,
        dated.activity_date,
        dated.started_at,
        dated.timezone,
        dated.distance_m,
        dated.moving_time_s,
        dated.elapsed_time_s,
        dated.elevation_gain_m,
        dated.average_heartrate_bpm,
        dated.max_heartrate_bpm,
        dated.energy_kcal,
        dated.gear_id,
        dated.is_manual,
        dated.is_commute,
        dated.loaded_at
    from dated
    inner join athletes on dated.athlete_id = athletes.athlete_id
    -- staging has left out what separates the words of a name
    left join sport_names
        on lower(dated.sport_type) = lower(replace(replace(sport_names.sport_name, ' ', ''), '-', ''))
    left join sport_families
        on lower(coalesce(sport_names.sport_type, dated.sport_type)) = lower(sport_families.sport_type)
    where not dated.is_deleted and dated.activity_date <= athletes.as_of_date
)

select * from final
