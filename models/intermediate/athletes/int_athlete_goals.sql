with statements as (
    select
        athlete_id,
        goals
    from {{ ref('stg_athletes__settings') }}
    -- each statement has all goals up to it
    qualify row_number() over (partition by athlete_id order by sequence desc) = 1
),

lines as (
    select
        statements.athlete_id,
        part as line -- noqa: RF02, RF03
    from statements
    cross join {{ text_parts('statements.goals', '; ') }}
),

stated as (
    select
        athlete_id,
        {{ text_part('line', 1) }} as goal,
        {{ text_part('line', 2) }} as metric,
        {{ text_part('line', 3) }} as sport_family,
        {{ text_part('line', 4) }} as period_type,
        {{ cast_or_null(text_part('line', 5), 'float64') }} as target,
        {{ cast_or_null(text_part('line', 0), 'date') }} as valid_from,
        1 as is_stated
    from lines
),

goals as (
    select
        athlete_id,
        goal,
        metric,
        sport_family,
        period_type,
        target,
        valid_from,
        0 as is_stated
    from {{ ref('athlete_goals') }}
    union all
    select * from stated
    where valid_from is not null and target is not null
),

final as (
    select
        athlete_id,
        goal,
        metric,
        sport_family,
        period_type,
        target,
        valid_from
    from goals
    qualify row_number() over (partition by athlete_id, goal, valid_from order by is_stated desc) = 1
)

select * from final
