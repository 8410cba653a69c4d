{{ config(meta={'reads_all_days': true}) }}

with workouts as (
    select
        athlete_id,
        activity_date,
        sport_family,
        activities,
        distance_m,
        moving_time_s,
        elevation_gain_m,
        energy_kcal,
        training_load
    from {{ ref('fct_daily_workouts') }}
),

athletes as (
    select
        athlete_id,
        as_of_date,
        first_day_of_week
    from {{ ref('int_athletes_as_of') }}
),

dates as (
    select * from {{ ref('dim_dates') }}
),

period_types as (
    {% for period_type in ['week', 'month', 'year', 'lifetime'] -%}
    select '{{ period_type }}' as period_type
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

scopes as (
    select true as is_all
    union all
    select false as is_all
),

scoped as (
    select
        workouts.athlete_id,
        case when scopes.is_all then 'all' else workouts.sport_family end as sport_family,
        workouts.activity_date,
        workouts.activities,
        workouts.distance_m,
        workouts.moving_time_s,
        workouts.elevation_gain_m,
        workouts.energy_kcal,
        workouts.training_load,
        athletes.first_day_of_week,
        athletes.as_of_date
    from workouts
    inner join athletes on workouts.athlete_id = athletes.athlete_id
    cross join scopes
),

sports as (
    select
        athlete_id,
        sport_family,
        first_day_of_week,
        as_of_date,
        min(activity_date) as first_day
    from scoped
    group by athlete_id, sport_family, first_day_of_week, as_of_date
),

sport_periods as (
    select
        sports.*,
        period_types.period_type
    from sports
    cross join period_types
),

-- every period since the first activity of the sport, also those without any
periods as (
    select distinct
        sport_periods.athlete_id,
        sport_periods.sport_family,
        sport_periods.period_type,
        sport_periods.as_of_date,
        {{ period_start(
            'dates.date_day', 'sport_periods.period_type', 'sport_periods.first_day_of_week', 'sport_periods.first_day'
        ) | indent(8) }} as period_start
    from sport_periods
    inner join dates on sport_periods.first_day <= dates.date_day and sport_periods.as_of_date >= dates.date_day
),

in_periods as (
    select
        scoped.*,
        sport_periods.period_type,
        {{ period_start(
            'scoped.activity_date',
            'sport_periods.period_type',
            'sport_periods.first_day_of_week',
            'sport_periods.first_day'
        ) | indent(8) }} as period_start
    from scoped
    inner join sport_periods
        on scoped.athlete_id = sport_periods.athlete_id and scoped.sport_family = sport_periods.sport_family
),

summed as (
    select
        athlete_id,
        sport_family,
        period_type,
        period_start,
        cast(sum(activities) as int64) as activities,
        {{ exact_sum('distance_m') }} as distance_m,
        cast(sum(moving_time_s) as int64) as moving_time_s,
        {{ exact_sum('elevation_gain_m') }} as elevation_gain_m,
        {{ exact_sum('energy_kcal') }} as energy_kcal,
        {{ exact_sum('training_load') }} as training_load,
        count(distinct activity_date) as active_days
    from in_periods
    group by athlete_id, sport_family, period_type, period_start
),

filled as (
    select
        periods.athlete_id,
        periods.sport_family,
        periods.period_type,
        periods.period_start,
        periods.as_of_date,
        {{ period_end('periods.period_start', 'periods.period_type') | indent(8) }} as period_end,
        coalesce(summed.activities, 0) as activities,
        coalesce(summed.distance_m, 0) as distance_m,
        coalesce(summed.moving_time_s, 0) as moving_time_s,
        coalesce(summed.elevation_gain_m, 0) as elevation_gain_m,
        -- unknown, not zero, where there were activities and none states it
        case when summed.activities is null then 0 else summed.energy_kcal end as energy_kcal,
        coalesce(summed.training_load, 0) as training_load,
        coalesce(summed.active_days, 0) as active_days
    from periods
    left join summed
        on
            periods.athlete_id = summed.athlete_id
            and periods.sport_family = summed.sport_family
            and periods.period_type = summed.period_type
            and periods.period_start = summed.period_start
),

compared as (
    select
        {%- for measure in period_measures() %}
        lag({{ measure }}) over by_period as previous_{{ measure }},
        {%- endfor %}
        *
    from filled
    window by_period as (partition by athlete_id, sport_family, period_type order by period_start)
),

final as (
    select
        athlete_id,
        period_type,
        period_start,
        {%- for measure in period_measures() %}
        {{ measure }},
        previous_{{ measure }},
        {{ percentage('(' ~ measure ~ ' - previous_' ~ measure ~ ')', 'previous_' ~ measure) }}
            as change_{{ measure }}_pct,
        {%- endfor %}
        sport_family,
        coalesce(period_end, as_of_date) as period_end,
        coalesce(period_end < as_of_date, false) as is_complete
    from compared
)

select * from final
