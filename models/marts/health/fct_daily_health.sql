{{ config(**daily('date_day')) }}

with days as (
    select * from {{ ref('int_streaks') }}
),

workouts as (
    select
        athlete_id,
        activity_date,
        cast(sum(activities) as int64) as activities,
        {{ exact_sum('distance_m') }} as distance_m,
        cast(sum(moving_time_s) as int64) as moving_time_s
    from {{ ref('fct_daily_workouts') }}
    group by athlete_id, activity_date
),

steps as (
    select * from {{ ref('fct_daily_steps') }}
),

macros as (
    select * from {{ ref('fct_daily_macros') }}
),

final as (
    select
        days.athlete_id,
        days.date_day,
        coalesce(workouts.activities, 0) as activities,
        coalesce(workouts.distance_m, 0) as distance_m,
        coalesce(workouts.moving_time_s, 0) as moving_time_s,
        steps.steps,
        days.step_goal,
        days.is_step_goal_met,
        coalesce(macros.meals, 0) as meals,
        macros.energy_kcal,
        macros.avg_carbs_pct,
        macros.avg_protein_pct,
        macros.avg_fat_pct,
        steps.steps_date is not null as has_steps,
        macros.meal_date is not null as has_meals,
        days.active_streak_days,
        days.step_goal_streak_days
    from days
    left join workouts on days.athlete_id = workouts.athlete_id and days.date_day = workouts.activity_date
    left join steps on days.athlete_id = steps.athlete_id and days.date_day = steps.steps_date
    left join macros on days.athlete_id = macros.athlete_id and days.date_day = macros.meal_date
)

select * from final
