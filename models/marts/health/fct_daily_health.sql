{{ config(**daily('date_day', lookback_days=29)) }}

with days as (
    select * from {{ ref('int_streaks') }}
),

workouts as (
    select
        athlete_id,
        activity_date,
        cast(sum(activities) as int64) as activities,
        {{ exact_sum('distance_m') }} as distance_m,
        cast(sum(moving_time_s) as int64) as moving_time_s,
        {{ exact_sum('elevation_gain_m') }} as elevation_gain_m,
        case when sum(activities_with_energy) = sum(activities) then {{ exact_sum('energy_kcal') }} end as energy_kcal
    from {{ ref('fct_daily_workouts') }}
    group by athlete_id, activity_date
),

steps as (
    select * from {{ ref('fct_daily_steps') }}
),

macros as (
    select * from {{ ref('fct_daily_macros') }}
),

loads as (
    select * from {{ ref('fct_training_load') }}
),

joined as (
    select
        days.athlete_id,
        days.date_day,
        coalesce(workouts.activities, 0) as activities,
        coalesce(workouts.distance_m, 0) as distance_m,
        coalesce(workouts.moving_time_s, 0) as moving_time_s,
        coalesce(workouts.elevation_gain_m, 0) as elevation_gain_m,
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
        days.step_goal_streak_days,
        days.meal_log_streak_days,
        -- 0 before the first activity, as in the averages
        coalesce(loads.training_load, 0) as training_load,
        loads.fitness_ctl,
        loads.fatigue_atl,
        loads.form_tsb,
        macros.is_on_target as is_on_macro_target,
        case when workouts.activity_date is null then 0 else workouts.energy_kcal end as activity_energy_kcal,
        macros.energy_kcal
        - case when workouts.activity_date is null then 0 else workouts.energy_kcal end as energy_balance_kcal
    from days
    left join workouts on days.athlete_id = workouts.athlete_id and days.date_day = workouts.activity_date
    left join steps on days.athlete_id = steps.athlete_id and days.date_day = steps.steps_date
    left join loads on days.athlete_id = loads.athlete_id and days.date_day = loads.date_day
    left join macros on days.athlete_id = macros.athlete_id and days.date_day = macros.meal_date
),

final as (
    select
        *,
        count(avg_carbs_pct) over last_30_days as days_with_macros_30d,
        {{ exact_avg('avg_carbs_pct', 'last_30_days') }} as avg_carbs_pct_30d,
        {{ exact_avg('avg_protein_pct', 'last_30_days') }} as avg_protein_pct_30d,
        {{ exact_avg('avg_fat_pct', 'last_30_days') }} as avg_fat_pct_30d
    from joined
    window
        last_30_days as (
            partition by athlete_id
            order by {{ day_number('date_day') }}
            range between 29 preceding and current row
        )
)

select * from final
