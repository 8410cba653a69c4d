{{ config(**day_layout('date_day')) }}
{% set since = rebuild_from() %}

with days as (
    select * from {{ ref('int_days_spined') }}
    where date_day >= {{ day_constant(since) }}
),

workouts as (
    select
        athlete_id,
        activity_date,
        cast(sum(activities) as int64) as activities,
        {{ exact_sum('distance_m') }} as distance_m,
        cast(sum(moving_time_s) as int64) as moving_time_s
    from {{ ref('fct_daily_workouts') }}
    where activity_date >= {{ day_constant(since) }}
    group by athlete_id, activity_date
),

steps as (
    select * from {{ ref('fct_daily_steps') }}
    where steps_date >= {{ day_constant(since) }}
),

macros as (
    select * from {{ ref('fct_daily_macros') }}
    where meal_date >= {{ day_constant(since) }}
),

-- streaks go on from where they stood on the day before the first one built
carried as (
    {%- if is_incremental() %}
    select
        athlete_id,
        case when activities > 0 then active_streak_days else 0 end as active_run_days,
        case when is_step_goal_met then step_goal_streak_days else 0 end as step_goal_run_days
    from {{ this }}
    where date_day = {{ day_constant(since, -1) }}
    {%- else %}
    select
        athlete_id,
        0 as active_run_days,
        0 as step_goal_run_days
    from days
    where false
    {%- endif %}
),

joined as (
    select
        days.athlete_id,
        days.date_day,
        coalesce(workouts.activities, 0) as activities,
        coalesce(workouts.distance_m, 0) as distance_m,
        coalesce(workouts.moving_time_s, 0) as moving_time_s,
        steps.steps,
        days.step_goal,
        steps.is_goal_met as is_step_goal_met,
        coalesce(macros.meals, 0) as meals,
        macros.energy_kcal,
        macros.avg_carbs_pct,
        macros.avg_protein_pct,
        macros.avg_fat_pct,
        steps.steps_date is not null as has_steps,
        macros.meal_date is not null as has_meals,
        {{ day_number('days.date_day') }} as day_number,
        coalesce(carried.active_run_days, 0) as carried_active_run_days,
        coalesce(carried.step_goal_run_days, 0) as carried_step_goal_run_days
    from days
    left join workouts on days.athlete_id = workouts.athlete_id and days.date_day = workouts.activity_date
    left join steps on days.athlete_id = steps.athlete_id and days.date_day = steps.steps_date
    left join macros on days.athlete_id = macros.athlete_id and days.date_day = macros.meal_date
    left join carried on days.athlete_id = carried.athlete_id
),

-- every day knows the last day before or on it that broke each streak
broken as (
    select
        *,
        max(case when activities = 0 then day_number end) over so_far as inactive_on,
        max(case when coalesce(is_step_goal_met, false) then null else day_number end) over so_far as goal_missed_on,
        min(day_number) over so_far - 1 as before_first
    from joined
    window so_far as (partition by athlete_id order by day_number rows between unbounded preceding and current row)
),

streaks as (
    select
        *,
        day_number - coalesce(inactive_on, before_first - carried_active_run_days) as active_run_days,
        day_number - coalesce(goal_missed_on, before_first - carried_step_goal_run_days) as step_goal_run_days
    from broken
),

final as (
    select
        athlete_id,
        date_day,
        activities,
        distance_m,
        moving_time_s,
        steps,
        step_goal,
        is_step_goal_met,
        meals,
        energy_kcal,
        avg_carbs_pct,
        avg_protein_pct,
        avg_fat_pct,
        has_steps,
        has_meals,
        -- a streak is alive until a whole day has passed without its next link
        case
            when active_run_days > 0 then active_run_days
            else coalesce(lag(active_run_days) over by_day, carried_active_run_days)
        end as active_streak_days,
        case
            when step_goal_run_days > 0 then step_goal_run_days
            else coalesce(lag(step_goal_run_days) over by_day, carried_step_goal_run_days)
        end as step_goal_streak_days
    from streaks
    window by_day as (partition by athlete_id order by day_number)
)

select * from final
