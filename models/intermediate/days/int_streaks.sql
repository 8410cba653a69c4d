{{ config(**daily('date_day', lookback_days=1)) }}

with days as (
    select * from {{ ref('int_date_spine') }}
),

active_days as (
    select distinct
        athlete_id,
        activity_date
    from {{ ref('int_activities_localized') }}
    where is_transition is not true
),

steps as (
    select * from {{ ref('int_steps_resolved') }}
),

meal_days as (
    select distinct
        athlete_id,
        meal_date
    from {{ ref('int_meals_localized') }}
    where is_believable
),

before as (
    {{ lookback({
        'athlete_id': 'string',
        'date_day': 'date',
        'rest_day': 'date',
        'goal_missed_day': 'date',
        'meal_missed_day': 'date',
    }) | indent }}
),

marked as (
    select
        days.athlete_id,
        days.date_day,
        days.step_goal,
        steps.steps >= days.step_goal as is_step_goal_met,
        active_days.athlete_id is not null as is_active,
        meal_days.athlete_id is not null as has_meals,
        -- the day before the first day counts as a day without an activity
        case
            when row_number() over (partition by days.athlete_id order by days.date_day) = 1
                then {{ add_days('days.date_day', -1) }}
        end as day_before_first
    from days
    left join active_days on days.athlete_id = active_days.athlete_id and days.date_day = active_days.activity_date
    left join steps on days.athlete_id = steps.athlete_id and days.date_day = steps.steps_date
    left join meal_days on days.athlete_id = meal_days.athlete_id and days.date_day = meal_days.meal_date
),

-- the last day up to each day that broke a streak
broken as (
    select
        marked.athlete_id,
        marked.date_day,
        marked.step_goal,
        marked.is_step_goal_met,
        max(
            coalesce(before.rest_day, case when marked.is_active then marked.day_before_first else marked.date_day end)
        ) over so_far as rest_day,
        max(
            coalesce(
                before.goal_missed_day,
                case when marked.is_step_goal_met then marked.day_before_first else marked.date_day end
            )
        ) over so_far as goal_missed_day,
        max(
            coalesce(
                before.meal_missed_day,
                case when marked.has_meals then marked.day_before_first else marked.date_day end
            )
        ) over so_far as meal_missed_day
    from marked
    left join before on marked.athlete_id = before.athlete_id and marked.date_day = before.date_day
    window
        so_far as (
            partition by marked.athlete_id
            order by marked.date_day
            rows between unbounded preceding and current row
        )
),

lengths as (
    select
        *,
        {{ day_number('date_day') }} - {{ day_number('rest_day') }} as active_days,
        {{ day_number('date_day') }} - {{ day_number('goal_missed_day') }} as step_goal_days,
        {{ day_number('date_day') }} - {{ day_number('meal_missed_day') }} as meal_days
    from broken
),

final as (
    select
        athlete_id,
        date_day,
        step_goal,
        is_step_goal_met,
        rest_day,
        goal_missed_day,
        meal_missed_day,
        -- a streak ends when a whole day has passed without an activity
        case
            when active_days > 0 then active_days
            else coalesce(lag(active_days) over by_day, 0)
        end as active_streak_days,
        case
            when step_goal_days > 0 then step_goal_days
            else coalesce(lag(step_goal_days) over by_day, 0)
        end as step_goal_streak_days,
        case
            when meal_days > 0 then meal_days
            else coalesce(lag(meal_days) over by_day, 0)
        end as meal_log_streak_days
    from lengths
    window by_day as (partition by athlete_id order by date_day)
)

select * from final
