{{ config(meta={'reads_all_days': true}) }}

with activities as (
    select
        athlete_id,
        activity_id,
        sport_family,
        activity_date,
        started_at,
        distance_m,
        moving_time_s,
        elevation_gain_m,
        average_speed_m_s,
        distance_band
    from {{ ref('fct_activities') }}
    where is_transition is not true
),

loads as (
    select
        athlete_id,
        activity_id,
        sport_family,
        activity_date,
        started_at,
        training_load
    from {{ ref('fct_activity_load') }}
),

daily_steps as (
    select
        athlete_id,
        steps_date,
        steps
    from {{ ref('fct_daily_steps') }}
),

runs as (
    select * from {{ ref('int_streak_runs') }}
),

record_types as (
    {% for record_type, unit in {
        'longest_distance': 'm',
        'longest_time': 's',
        'most_climbing': 'm',
        'fastest_in_band': 'm/s',
    }.items() -%}
    select
        '{{ record_type }}' as record_type,
        '{{ unit }}' as unit
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

of_activities as (
    select
        activities.athlete_id,
        activities.sport_family,
        record_types.record_type,
        case when record_types.record_type = 'fastest_in_band' then activities.distance_band end as band,
        case record_types.record_type
            when 'longest_distance' then activities.distance_m
            when 'longest_time' then activities.moving_time_s
            when 'most_climbing' then activities.elevation_gain_m
            when 'fastest_in_band' then activities.average_speed_m_s
        end as value,
        record_types.unit,
        activities.activity_id,
        activities.activity_date as achieved_on,
        activities.started_at
    from activities
    cross join record_types
),

candidates as (
    select * from of_activities
    union all
    select
        athlete_id,
        sport_family,
        'highest_load' as record_type,
        cast(null as string) as band,
        training_load as value,
        'points' as unit,
        activity_id,
        activity_date as achieved_on,
        started_at
    from loads
    union all
    select
        athlete_id,
        'all' as sport_family,
        'most_steps' as record_type,
        cast(null as string) as band,
        cast(steps as float64) as value,
        'steps' as unit,
        cast(null as string) as activity_id,
        steps_date as achieved_on,
        cast(null as timestamp) as started_at
    from daily_steps
    union all
    select
        athlete_id,
        'all' as sport_family,
        'longest_streak' as record_type,
        streak_type as band,
        cast(streak_length as float64) as value,
        case streak_type when 'workout_weeks' then 'weeks' when 'workout_months' then 'months' else 'days' end as unit,
        cast(null as string) as activity_id,
        streak_end as achieved_on,
        cast(null as timestamp) as started_at
    from runs
),

compared as (
    select
        *,
        max(value) over (
            partition by athlete_id, sport_family, record_type, band
            order by achieved_on, started_at, activity_id
            rows between unbounded preceding and 1 preceding
        ) as best_before
    from candidates
    where value > 0
),

-- a value that only equals the best one is no record
records as (
    select * from compared
    where best_before is null or value > best_before
),

final as (
    select
        athlete_id,
        sport_family,
        record_type,
        band,
        value,
        unit,
        activity_id,
        achieved_on,
        lag(value) over of_record as previous_value,
        lag(achieved_on) over of_record as previous_on,
        lead(value) over of_record is null as is_current
    from records
    window
        of_record as (
            partition by athlete_id, sport_family, record_type, band
            order by achieved_on, started_at, activity_id
        )
)

select * from final
