{% set measures = ['activities', 'distance_m', 'moving_time_s', 'elevation_gain_m', 'energy_kcal', 'training_load', 'active_days'] %}

with activities as (
    select * from {{ ref('fct_activities') }}
),

loads as (
    select * from {{ ref('fct_activity_load') }}
),

athletes as (
    select * from {{ ref('int_athletes_as_of') }}
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
        activities.athlete_id,
        case when scopes.is_all then 'all' else activities.sport_family end as sport_family,
        activities.activity_date,
        activities.distance_m,
        activities.moving_time_s,
        activities.elevation_gain_m,
        activities.energy_kcal,
        loads.training_load,
        athletes.first_day_of_week,
        athletes.as_of_date
    from activities
    inner join loads on activities.athlete_id = loads.athlete_id and activities.activity_id = loads.activity_id
    inner join athletes on activities.athlete_id = athletes.athlete_id
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

-- every period since the first activity of the sport, also those without any
periods as (
    select distinct
        sports.athlete_id,
        sports.sport_family,
        period_types.period_type,
        sports.as_of_date,
        {{ period_start('dates.date_day', 'period_types.period_type', 'sports.first_day_of_week', 'sports.first_day')
            | indent(8) }} as period_start
    from sports
    inner join dates on sports.first_day <= dates.date_day and sports.as_of_date >= dates.date_day
    cross join period_types
),

summed as (
    select
        scoped.athlete_id,
        scoped.sport_family,
        period_types.period_type,
        {{ period_start('scoped.activity_date', 'period_types.period_type', 'scoped.first_day_of_week', 'sports.first_day')
            | indent(8) }} as period_start,
        count(*) as activities,
        {{ exact_sum('scoped.distance_m') }} as distance_m,
        cast(sum(scoped.moving_time_s) as int64) as moving_time_s,
        {{ exact_sum('scoped.elevation_gain_m') }} as elevation_gain_m,
        {{ exact_sum('scoped.energy_kcal') }} as energy_kcal,
        {{ exact_sum('scoped.training_load') }} as training_load,
        count(distinct scoped.activity_date) as active_days
    from scoped
    inner join sports on scoped.athlete_id = sports.athlete_id and scoped.sport_family = sports.sport_family
    cross join period_types
    group by 1, 2, 3, 4
),

filled as (
    select
        periods.athlete_id,
        periods.sport_family,
        periods.period_type,
        periods.period_start,
        periods.as_of_date,
        {{ period_end('periods.period_start', 'periods.period_type') | indent(8) }} as period_end,
        {%- for measure in measures %}
        {%- if measure == 'energy_kcal' %}
        -- unknown, not zero, where there were activities and none states it
        case when summed.activities is null then 0 else summed.energy_kcal end as energy_kcal,
        {%- else %}
        coalesce(summed.{{ measure }}, 0) as {{ measure }},
        {%- endif %}
        {%- endfor %}
        lag(periods.period_start) over (
            partition by periods.athlete_id, periods.sport_family, periods.period_type order by periods.period_start
        ) as previous_start
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
        *,
        {%- for measure in measures %}
        lag({{ measure }}) over by_period as previous_{{ measure }}{{ ',' if not loop.last }}
        {%- endfor %}
    from filled
    window by_period as (partition by athlete_id, sport_family, period_type order by period_start)
),

final as (
    select
        athlete_id,
        period_type,
        period_start,
        sport_family,
        coalesce(period_end, as_of_date) as period_end,
        coalesce(period_end < as_of_date, false) as is_complete,
        {%- for measure in measures %}
        {{ measure }},
        {%- endfor %}
        {%- for measure in measures %}
        previous_{{ measure }},
        {{ percentage('(' ~ measure ~ ' - previous_' ~ measure ~ ')', 'previous_' ~ measure) }} as change_{{ measure }}_pct
        {{- ',' if not loop.last }}
        {%- endfor %}
    from compared
)

select * from final
