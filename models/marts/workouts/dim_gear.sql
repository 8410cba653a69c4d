{{ config(**latest()) }}

with versions as (
    select * from {{ ref('stg_strava__export_gear') }}
),

gear as (
    {{ current_versions('versions', 'record_id') | indent }}
),

athletes as (
    select * from {{ ref('int_athletes_as_of') }}
),

totals as (
    select * from {{ ref('int_gear_totals') }}
),

used as (
    select totals.*
    from totals
    inner join athletes on totals.athlete_id = athletes.athlete_id and totals.date_day = athletes.as_of_date
),

export_gear as (
    select * from gear
    where not is_deleted
    -- an activity does not say whether its gear is the bike or the shoe of this name
    qualify row_number() over (partition by athlete_id, gear_id order by gear_type) = 1
),

final as (
    select
        coalesce(export_gear.athlete_id, used.athlete_id) as athlete_id,
        coalesce(export_gear.gear_id, used.gear_id) as gear_id,
        export_gear.gear_type,
        export_gear.brand,
        export_gear.model,
        coalesce(used.activities, 0) as activities,
        coalesce(cast(used.distance_m as float64), 0) as distance_m,
        used.first_used_on,
        used.last_used_on
    from export_gear
    full outer join used on export_gear.athlete_id = used.athlete_id and export_gear.gear_id = used.gear_id
)

select * from final
