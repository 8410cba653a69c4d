{{ config(**daily('steps_date', lookback_days=6)) }}

with observed as (
    select * from {{ ref('int_steps_resolved') }}
),

days as (
    select * from {{ ref('int_streaks') }}
),

windowed as (
    select
        *,
        avg(steps) over last_7_days as steps_7d_avg_observed,
        sum(steps) over last_7_days / 7.0 as steps_7d_avg_calendar,
        count(*) over last_7_days as observed_days_7d
    from observed
    window
        last_7_days as (
            partition by athlete_id
            order by {{ day_number('steps_date') }}
            range between 6 preceding and current row
        )
),

final as (
    select
        windowed.athlete_id,
        windowed.steps_date,
        windowed.steps,
        windowed.step_source,
        windowed.step_sources,
        days.step_goal,
        {{ percentage('windowed.steps', 'days.step_goal') }} as goal_pct,
        days.is_step_goal_met as is_goal_met,
        windowed.steps_7d_avg_observed,
        windowed.steps_7d_avg_calendar,
        windowed.observed_days_7d
    from windowed
    inner join days on windowed.athlete_id = days.athlete_id and windowed.steps_date = days.date_day
)

select * from final
