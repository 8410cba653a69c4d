{{ config(**latest()) }}

with goals as (
    select
        *,
        lead(valid_from) over (partition by athlete_id, goal order by valid_from) as valid_before
    from {{ ref('int_athlete_goals') }}
),

totals as (
    select * from {{ ref('fct_period_totals') }}
),

days as (
    select * from {{ ref('fct_daily_health') }}
),

athletes as (
    select * from {{ ref('int_athletes_as_of') }}
),

dates as (
    select * from {{ ref('dim_dates') }}
),

-- a goal counts in each period in which it held on any day
periods as (
    select distinct
        goals.athlete_id,
        goals.goal,
        goals.metric,
        goals.sport_family,
        goals.period_type,
        goals.target,
        goals.valid_from,
        athletes.as_of_date,
        {{ period_start('dates.date_day', 'goals.period_type', 'athletes.first_day_of_week', 'dates.date_day')
            | indent(8) }} as period_start
    from goals
    inner join athletes on goals.athlete_id = athletes.athlete_id
    inner join dates
        on
            goals.valid_from <= dates.date_day
            and athletes.as_of_date >= dates.date_day
            and (goals.valid_before is null or goals.valid_before > dates.date_day)
    -- a target of 0 ends a goal
    where goals.target > 0
),

of_periods as (
    select
        periods.athlete_id,
        periods.goal,
        periods.metric,
        periods.sport_family,
        periods.period_type,
        periods.target,
        periods.as_of_date,
        periods.period_start,
        {{ period_end('periods.period_start', 'periods.period_type') | indent(8) }} as period_end,
        coalesce(
            case periods.metric
                {%- for measure in period_measures() %}
                when '{{ measure }}' then cast(totals.{{ measure }} as float64)
                {%- endfor %}
            end,
            0
        ) as progress
    from periods
    left join totals
        on
            periods.athlete_id = totals.athlete_id
            and periods.sport_family = totals.sport_family
            and periods.period_type = totals.period_type
            and periods.period_start = totals.period_start
    -- of two versions of a goal in one period the later one counts
    qualify
        row_number() over (
            partition by periods.athlete_id, periods.goal, periods.period_start order by periods.valid_from desc
        ) = 1
),

-- the daily step goal is a setting; its other days are in fct_daily_steps
today as (
    select
        days.athlete_id,
        'step_goal' as goal,
        'steps' as metric,
        'all' as sport_family,
        'day' as period_type,
        cast(days.step_goal as float64) as target,
        athletes.as_of_date,
        days.date_day as period_start,
        days.date_day as period_end,
        -- null, not zero, where none were observed yet
        cast(days.steps as float64) as progress
    from days
    inner join athletes on days.athlete_id = athletes.athlete_id and days.date_day = athletes.as_of_date
),

goal_periods as (
    select * from of_periods
    union all
    select * from today
),

projected as (
    select
        *,
        greatest({{ day_number('period_end') }} - {{ day_number('as_of_date') }}, 0) as days_left,
        -- at the pace of the days that have passed, today included
        progress * ({{ day_number('period_end') }} - {{ day_number('period_start') }} + 1)
        / least(
            {{ day_number('as_of_date') }} - {{ day_number('period_start') }} + 1,
            {{ day_number('period_end') }} - {{ day_number('period_start') }} + 1
        ) as projection
    from goal_periods
),

final as (
    select
        athlete_id,
        goal,
        period_start,
        period_end,
        period_type,
        metric,
        sport_family,
        target,
        progress,
        projection,
        days_left,
        {{ percentage('progress', 'target') }} as progress_pct,
        projection >= target as is_on_track
    from projected
)

select * from final
