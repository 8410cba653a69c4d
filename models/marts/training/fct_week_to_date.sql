{{ config(**daily('date_day', lookback_days=6)) }}

with days as (
    select * from {{ ref('fct_daily_health') }}
),

athletes as (
    select
        athlete_id,
        first_day_of_week
    from {{ ref('int_athletes_as_of') }}
),

with_weeks as (
    select
        days.*,
        {{ week_start('days.date_day', 'athletes.first_day_of_week') }} as week_start
    from days
    inner join athletes on days.athlete_id = athletes.athlete_id
),

summed as (
    select
        athlete_id,
        date_day,
        week_start,
        -- also the days of the first week on which nothing was recorded yet
        {{ day_number('date_day') }} - {{ day_number('week_start') }} + 1 as calendar_days,
        sum(activities) over so_far as activities,
        count(case when activities > 0 then 1 end) over so_far as active_days,
        {{ exact_sum('distance_m', 'so_far') }} as distance_m,
        sum(moving_time_s) over so_far as moving_time_s,
        {{ exact_sum('elevation_gain_m', 'so_far') }} as elevation_gain_m,
        {{ exact_sum('training_load', 'so_far') }} as training_load,
        sum(steps) over so_far as steps,
        count(steps) over so_far as step_days,
        count(case when is_step_goal_met then 1 end) over so_far as step_goal_days,
        count(case when has_meals then 1 end) over so_far as meal_days,
        {{ exact_avg('energy_kcal', 'so_far') }} as avg_energy_kcal,
        {{ exact_avg('avg_carbs_pct', 'so_far') }} as avg_carbs_pct,
        {{ exact_avg('avg_protein_pct', 'so_far') }} as avg_protein_pct,
        {{ exact_avg('avg_fat_pct', 'so_far') }} as avg_fat_pct,
        count(case when is_on_macro_target then 1 end) over so_far as macro_target_days
    from with_weeks
    window
        so_far as (
            partition by athlete_id, week_start
            order by date_day
            rows between unbounded preceding and current row
        )
),

final as (
    select
        athlete_id,
        date_day,
        week_start,
        cast(calendar_days as int64) as calendar_days,
        cast(activities as int64) as activities,
        active_days,
        distance_m,
        cast(moving_time_s as int64) as moving_time_s,
        elevation_gain_m,
        training_load,
        cast(steps as int64) as steps,
        steps / nullif(step_days, 0) as avg_steps_observed,
        1.0 * steps / calendar_days as avg_steps_calendar,
        step_days,
        step_goal_days,
        meal_days,
        avg_energy_kcal,
        avg_carbs_pct,
        avg_protein_pct,
        avg_fat_pct,
        macro_target_days
    from summed
)

select * from final
