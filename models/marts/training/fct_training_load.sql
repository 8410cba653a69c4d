{{ config(**daily('date_day', lookback_days=28)) }}

with days as (
    select * from {{ ref('int_training_load') }}
),

windowed as (
    select
        *,
        {{ day_number('date_day') }} - {{ day_number('first_day') }} + 1 as history_days,
        coalesce(lag(fitness) over by_day, 0) as fitness_yesterday,
        coalesce(lag(fatigue) over by_day, 0) as fatigue_yesterday,
        lag(fitness, 7) over by_day as fitness_a_week_ago,
        {%- for back in range(7) %}
        lag(training_load, {{ back }}) over by_day as load_{{ back }},
        {%- endfor %}
        sum({{ decimal('training_load') }}) over (
            partition by athlete_id
            order by date_day
            rows between 27 preceding and 7 preceding
        ) as load_of_three_weeks
    from days
    window by_day as (partition by athlete_id order by date_day)
),

summed as (
    select
        *,
        load_0 + load_1 + load_2 + load_3 + load_4 + load_5 + load_6 as load_7d
    from windowed
),

spread as (
    select
        *,
        sqrt(
            (
                power(load_0 - load_7d / 7, 2)
                + power(load_1 - load_7d / 7, 2)
                + power(load_2 - load_7d / 7, 2)
                + power(load_3 - load_7d / 7, 2)
                + power(load_4 - load_7d / 7, 2)
                + power(load_5 - load_7d / 7, 2)
                + power(load_6 - load_7d / 7, 2)
            ) / 7
        ) as load_7d_deviation,
        -- a mean is rounded, so that the deviation of equal loads may be a little more than zero
        greatest(load_0, load_1, load_2, load_3, load_4, load_5, load_6)
        = least(load_0, load_1, load_2, load_3, load_4, load_5, load_6) as is_even_week,
        history_days >= 28 as has_four_weeks
    from summed
),

final as (
    select
        athlete_id,
        date_day,
        training_load,
        fitness as fitness_ctl,
        fatigue as fatigue_atl,
        -- what the athlete starts the day with
        fitness_yesterday - fatigue_yesterday as form_tsb,
        {{ form_band('fitness_yesterday', 'fatigue_yesterday', 'history_days <= 42') | indent(8) }} as form_band,
        fitness - fatigue as balance_end_of_day,
        fitness - fitness_a_week_ago as ramp_rate_7d,
        case when has_four_weeks then fatigue / nullif(fitness, 0) end as acwr_coupled,
        case
            when has_four_weeks then load_7d / 7 / nullif(cast(load_of_three_weeks as float64) / 21, 0)
        end as acwr_uncoupled,
        load_7d,
        case when not is_even_week then load_7d / 7 / nullif(load_7d_deviation, 0) end as monotony_7d,
        case when not is_even_week then load_7d * (load_7d / 7) / nullif(load_7d_deviation, 0) end as strain_7d,
        history_days <= 42 as is_warming_up
    from spread
)

select * from final
