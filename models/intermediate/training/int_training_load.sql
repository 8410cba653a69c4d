{{ config(**daily('date_day', lookback_days=1)) }}
{% set averages = {'fitness': 42, 'fatigue': 7} %}

with activities as (
    select * from {{ ref('fct_activity_load') }}
),

days as (
    select * from {{ ref('int_date_spine') }}
),

before as (
    {{ lookback({
        'athlete_id': 'string',
        'date_day': 'date',
        'first_day': 'date',
        'fitness_block': 'int64',
        'fitness_block_sum': 'numeric',
        'fitness_sum_before': 'numeric',
        'fatigue_block': 'int64',
        'fatigue_block_sum': 'numeric',
        'fatigue_sum_before': 'numeric',
    }) | indent }}
),

loads as (
    select
        athlete_id,
        activity_date,
        {{ exact_sum('training_load') }} as training_load
    from activities
    group by athlete_id, activity_date
),

starts as (
    select
        athlete_id,
        activity_date as first_day
    from loads
    union all
    select
        athlete_id,
        first_day
    from before
),

athletes as (
    select
        athlete_id,
        min(first_day) as first_day
    from starts
    group by athlete_id
),

daily as (
    select
        days.athlete_id,
        days.date_day,
        athletes.first_day,
        coalesce(loads.training_load, 0) as training_load,
        {{ day_number('days.date_day') }} as day_number,
        {{ load_block(day_number('days.date_day'), averages.fitness) }} as fitness_block,
        {{ load_block(day_number('days.date_day'), averages.fatigue) }} as fatigue_block
    from athletes
    inner join days on athletes.athlete_id = days.athlete_id and athletes.first_day <= days.date_day
    left join loads on days.athlete_id = loads.athlete_id and days.date_day = loads.activity_date
),

-- on the last day before the window the sums are read, from then on they are computed
weighed as (
    select
        {%- for name, span in averages.items() %}
        coalesce(
            before.{{ name }}_block_sum,
            {{ decimal('daily.training_load * ' ~ load_weight('daily.day_number', 'daily.' ~ name ~ '_block', span)) }}
        ) as {{ name }}_part,
        {%- endfor %}
        daily.*
    from daily
    left join before on daily.athlete_id = before.athlete_id and daily.date_day = before.date_day
),

{% for name in averages -%}
{{ name }}_parts as (
    select
        athlete_id,
        {{ name }}_block,
        {{ name }}_part
    from weighed
    union all
    select
        athlete_id,
        {{ name }}_block - 1 as {{ name }}_block,
        {{ name }}_sum_before as {{ name }}_part
    from before
),

{{ name }}_sums as (
    select
        athlete_id,
        {{ name }}_block + 1 as {{ name }}_block,
        sum({{ name }}_part) as sum_before
    from {{ name }}_parts
    group by athlete_id, {{ name }}_block
),

{% endfor -%}
summed as (
    select
        {%- for name in averages %}
        sum(weighed.{{ name }}_part) over (
            partition by weighed.athlete_id, weighed.{{ name }}_block
            order by weighed.date_day
            rows between unbounded preceding and current row
        ) as {{ name }}_block_sum,
        coalesce({{ name }}_sums.sum_before, 0) as {{ name }}_sum_before,
        {%- endfor %}
        weighed.*
    from weighed
    left join fitness_sums
        on weighed.athlete_id = fitness_sums.athlete_id and weighed.fitness_block = fitness_sums.fitness_block
    left join fatigue_sums
        on weighed.athlete_id = fatigue_sums.athlete_id and weighed.fatigue_block = fatigue_sums.fatigue_block
),

final as (
    select
        athlete_id,
        date_day,
        first_day,
        {%- for name, span in averages.items() %}
        {{ name }}_block,
        {{ name }}_block_sum,
        {{ name }}_sum_before,
        {{ decayed_average(
            name ~ '_block_sum', name ~ '_sum_before', 'day_number', name ~ '_block', span
        ) | indent(8) }} as {{ name }},
        {%- endfor %}
        training_load
    from summed
)

select * from final
