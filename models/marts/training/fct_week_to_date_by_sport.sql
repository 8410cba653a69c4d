{{ config(**daily('date_day', lookback_days=6)) }}

with days as (
    select
        athlete_id,
        date_day,
        week_start
    from {{ ref('fct_week_to_date') }}
),

workouts as (
    select
        workouts_of_days.*,
        days.week_start
    from {{ ref('fct_daily_workouts') }} as workouts_of_days
    inner join days
        on
            workouts_of_days.athlete_id = days.athlete_id
            and workouts_of_days.activity_date = days.date_day
),

summed as (
    select
        days.athlete_id,
        days.date_day,
        days.week_start,
        workouts.sport_family,
        cast(sum(workouts.activities) as int64) as activities,
        count(*) as active_days,
        {{ exact_sum('workouts.distance_m') }} as distance_m,
        cast(sum(workouts.moving_time_s) as int64) as moving_time_s,
        {{ exact_sum('workouts.elevation_gain_m') }} as elevation_gain_m,
        {{ exact_sum('workouts.training_load') }} as training_load
    from days
    inner join workouts
        on
            days.athlete_id = workouts.athlete_id
            and days.week_start = workouts.week_start
            and days.date_day >= workouts.activity_date
    group by days.athlete_id, days.date_day, days.week_start, workouts.sport_family
),

final as (
    select
        *,
        {{ speed_m_s('distance_m', 'moving_time_s') }} as average_speed_m_s,
        {{ pace_min_per_km('distance_m', 'moving_time_s') }} as pace_min_per_km
    from summed
)

select * from final
