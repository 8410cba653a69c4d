with days as (
    select
        athlete_id,
        date_day,
        activities,
        is_step_goal_met,
        has_meals
    from {{ ref('fct_daily_health') }}
),

athletes as (
    select
        athlete_id,
        as_of_date,
        first_day_of_week
    from {{ ref('int_athletes_as_of') }}
),

kinds as (
    {% for kind, period in {
        'workout_days': 'day',
        'workout_weeks': 'week',
        'workout_months': 'month',
        'step_goal_days': 'day',
        'meal_log_days': 'day',
    }.items() -%}
    select
        '{{ kind }}' as streak_type,
        '{{ period }}' as period_type
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

met as (
    select distinct
        days.athlete_id,
        kinds.streak_type,
        kinds.period_type,
        athletes.as_of_date,
        athletes.first_day_of_week,
        case kinds.period_type
            when 'day' then days.date_day
            else {{ period_start('days.date_day', 'kinds.period_type', 'athletes.first_day_of_week', 'days.date_day')
                | indent(12) }}
        end as first_day
    from days
    inner join athletes on days.athlete_id = athletes.athlete_id
    cross join kinds
    where
        case kinds.streak_type
            when 'step_goal_days' then coalesce(days.is_step_goal_met, false)
            when 'meal_log_days' then days.has_meals
            else days.activities > 0
        end
),

numbered as (
    select
        *,
        {{ period_number('first_day', 'period_type', 'first_day_of_week') | indent(8) }} as period_number,
        {{ period_number('as_of_date', 'period_type', 'first_day_of_week') | indent(8) }} as current_number
    from met
),

-- periods in a row differ from their row number by the same amount
islands as (
    select
        *,
        period_number - row_number() over (partition by athlete_id, streak_type order by period_number) as island
    from numbered
),

runs as (
    select
        athlete_id,
        streak_type,
        period_type,
        current_number,
        as_of_date,
        count(*) as streak_length,
        min(first_day) as streak_start,
        max(first_day) as last_period_start,
        max(period_number) as last_number
    from islands
    group by athlete_id, streak_type, period_type, current_number, as_of_date, island
),

final as (
    select
        athlete_id,
        streak_type,
        streak_length,
        streak_start,
        -- the current week or month is not over
        least(
            coalesce({{ period_end('last_period_start', 'period_type') | indent(12) }}, last_period_start), as_of_date
        ) as streak_end,
        -- the period after the last one is not over yet
        last_number >= current_number - 1 as is_alive
    from runs
)

select * from final
