with gear as (
    select * from {{ ref('dim_gear') }}
),

limits as (
    select * from {{ ref('gear_limits') }}
),

limited as (
    select
        gear.*,
        limits.distance_limit_m
    from gear
    left join limits
        on
            (gear.athlete_id = limits.athlete_id or limits.athlete_id = '*')
            and (
                gear.gear_id = limits.gear_id
                or (coalesce(limits.gear_id, '') = '' and gear.gear_type = limits.gear_type)
            )
    -- the most exact limit: of this gear before its kind, of the athlete before everyone
    qualify
        row_number() over (
            partition by gear.athlete_id, gear.gear_id
            order by
                case when limits.gear_id = gear.gear_id then 0 else 1 end,
                case when limits.athlete_id = gear.athlete_id then 0 else 1 end
        ) = 1
),

final as (
    select
        athlete_id,
        gear_id,
        gear_type,
        distance_m,
        activities,
        first_used_on,
        last_used_on,
        distance_limit_m,
        {{ percentage('distance_m', 'distance_limit_m') }} as limit_used_pct,
        coalesce(distance_m > distance_limit_m, false) as is_over_limit
    from limited
)

select * from final
