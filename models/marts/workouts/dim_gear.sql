with gear as (
    select * from {{ ref('stg_strava__export_gear') }}
),

activities as (
    select * from {{ ref('fct_activities') }}
    where gear_id is not null
),

used as (
    select
        athlete_id,
        gear_id,
        count(*) as activities,
        {{ exact_sum('distance_m') }} as distance_m,
        min(activity_date) as first_used_on,
        max(activity_date) as last_used_on
    from activities
    group by athlete_id, gear_id
),

listed as (
    select * from gear
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
        coalesce(used.distance_m, 0) as distance_m,
        used.first_used_on,
        used.last_used_on
    from listed
    full outer join used on listed.athlete_id = used.athlete_id and listed.gear_id = used.gear_id
)

select * from final
