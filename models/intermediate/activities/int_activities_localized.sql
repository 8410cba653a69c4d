{{ config(**day_layout('activity_date')) }}
{% set since = rebuild_from() %}

with versions as (
    select * from {{ ref('stg_strava__export_activities') }}
    where loaded_at >= {{ loaded_since(since) }}
),

activities as (
    {{ current_versions('versions', 'activity_id') | indent }}
),

settings as (
    select * from {{ ref('int_athlete_settings_ranged') }}
),

athletes as (
    select * from {{ ref('int_athletes_dated') }}
),

sport_families as (
    select * from {{ ref('sport_families') }}
),

dated as (
    select
        activities.*,
        settings.timezone,
        {{ local_date('activities.started_at', 'settings.timezone') }} as activity_date
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
        coalesce(sport_families.sport_type, dated.sport_type) as sport_type,
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
    left join sport_families on lower(dated.sport_type) = lower(sport_families.sport_type)
    where
        not dated.is_deleted
        and dated.activity_date >= {{ day_constant(since) }}
        and dated.activity_date <= athletes.as_of_date
)

select * from final
