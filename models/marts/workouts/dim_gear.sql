{% set settled = settled_before(ref('int_gear_settled')) %}

with versions as (
    select * from {{ ref('stg_strava__export_gear') }}
    where loaded_at >= {{ loaded_since(since_ever()) }}
),

gear as (
    {{ current_versions('versions', 'record_id') | indent }}
),

activities_since as (
    select * from {{ ref('fct_activities') }}
    where activity_date >= {{ day_constant(settled) }}
),

totals_since as (
    {{ gear_totals('activities_since') | indent }}
),

parts as (
    select * from totals_since
    union all
    select
        athlete_id,
        gear_id,
        activities,
        distance_m,
        first_used_on,
        last_used_on
    from {{ ref('int_gear_settled') }}
),

used as (
    {{ gear_totals_together('parts') | indent }}
),

listed as (
    select * from gear
    where not is_deleted
    -- a bike and a shoe of one name cannot be told apart in an activity
    qualify row_number() over (partition by athlete_id, gear_id order by gear_type) = 1
),

final as (
    select
        coalesce(listed.athlete_id, used.athlete_id) as athlete_id,
        coalesce(listed.gear_id, used.gear_id) as gear_id,
        listed.gear_type,
        listed.brand,
        listed.model,
        coalesce(used.activities, 0) as activities,
        coalesce(cast(used.distance_m as float64), 0) as distance_m,
        used.first_used_on,
        used.last_used_on
    from listed
    full outer join used on listed.athlete_id = used.athlete_id and listed.gear_id = used.gear_id
)

select * from final
