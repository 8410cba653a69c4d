{#- How training load is computed (docs/transform/training.md has the definitions and their sources). -#}

{#- The share of the heart rate reserve, between 0 and 1; null without a heart rate. -#}
{% macro heart_rate_reserve(heartrate_bpm, resting_bpm, max_bpm) -%}
case
    when {{ heartrate_bpm }} <= {{ resting_bpm }} then 0
    when {{ heartrate_bpm }} >= {{ max_bpm }} then 1
    else ({{ heartrate_bpm }} - {{ resting_bpm }}) * 1.0 / nullif({{ max_bpm }} - {{ resting_bpm }}, 0)
end
{%- endmacro %}

{#- Banister's TRIMP (1991): minutes × reserve × a factor that grows with it. The factor depends on the sex; if the athlete
    stated none, it is the mean of both. -#}
{% macro trimp(minutes, reserve, sex) -%}
{{ minutes }} * {{ reserve }} * case {{ sex }}
    when 'male' then 0.64 * exp(1.92 * {{ reserve }})
    when 'female' then 0.86 * exp(1.67 * {{ reserve }})
    else (0.64 * exp(1.92 * {{ reserve }}) + 0.86 * exp(1.67 * {{ reserve }})) / 2
end
{%- endmacro %}

{#- Fitness and fatigue are averages of all daily loads that weigh a load of n days ago by exp(-n / days). To need no
    recursion (BigQuery ends it after 500 steps) and to continue exactly from an earlier build, the weighted loads are added
    up as decimals, in blocks of 28 × days: inside a block a load weighs exp(its day in the block / days), which grows to
    1.4e12 and no further. What is older than the block before counts less than 1e-12. -#}
{% macro load_block(day_number, days) -%}
cast(floor({{ day_number }} / {{ 28.0 * days }}) as int64)
{%- endmacro %}

{#- The weight of a day inside its block, where a negative sign gives the decay since the start of the block. -#}
{% macro load_weight(day_number, block, days, sign='') -%}
exp({{ sign }}({{ day_number }} - {{ block }} * {{ 28 * days }}) / {{ days }}.0)
{%- endmacro %}

{#- The average at the end of a day, from the sum of its block so far and the sum of the block before. Nine places, as
    decimals have them: exp() has another last digit on another engine. -#}
{% macro decayed_average(block_sum, sum_before, day_number, block, days) -%}
round(
    (1 - exp(-1 / {{ days }}.0))
    * (cast({{ block_sum }} as float64) + cast({{ sum_before }} as float64) * exp(-28.0))
    * {{ load_weight(day_number, block, days, '-') }},
    9
)
{%- endmacro %}

{#- The band of a form, by the limits that intervals.icu shows. Null while fitness does not know the training before, and
    where fitness and fatigue are below 1: then form is always in the grey zone, and says nothing. -#}
{% macro form_band(fitness, fatigue, is_warming_up) -%}
{%- set form = fitness ~ ' - ' ~ fatigue -%}
case
    when {{ is_warming_up }} or greatest({{ fitness }}, {{ fatigue }}) < 1 then null
    when {{ form }} > 20 then 'transition'
    when {{ form }} > 5 then 'fresh'
    when {{ form }} >= -10 then 'grey_zone'
    when {{ form }} >= -30 then 'optimal'
    else 'high_risk'
end
{%- endmacro %}
