{#- The number of the week of a day, counted from 1970, for weeks that begin on `first_day_of_week` (monday, sunday or
    saturday). 1970-01-01 was a Thursday; 7,000,000 keeps earlier days above zero. -#}
{% macro week_number(day, first_day_of_week) -%}
cast(floor(({{ day_number(day) }} + {{ days_into_week(first_day_of_week) }}) / 7.0) as int64)
{%- endmacro %}

{#- The first day of the week of a day. -#}
{% macro week_start(day, first_day_of_week) -%}
{{ add_days(day, '-mod(' ~ day_number(day) ~ ' + 7000000 + ' ~ days_into_week(first_day_of_week) ~ ', 7)') }}
{%- endmacro %}

{#- How many days of its week had passed on Thursday 1970-01-01. -#}
{% macro days_into_week(first_day_of_week) -%}
case {{ first_day_of_week }} when 'sunday' then 4 when 'saturday' then 5 else 3 end
{%- endmacro %}

{#- The first day of the period of a day: a week, a month, a year, or `since` for the whole life. -#}
{% macro period_start(day, period_type, first_day_of_week, since) -%}
case {{ period_type }}
    when 'week' then {{ week_start(day, first_day_of_week) }}
    when 'month' then {{ first_day_of('month', day) }}
    when 'year' then {{ first_day_of('year', day) }}
    else {{ since }}
end
{%- endmacro %}

{#- The last day of the period that begins on a day; null for the whole life. -#}
{% macro period_end(start, period_type) -%}
case {{ period_type }}
    when 'week' then {{ add_days(start, 6) }}
    when 'month' then {{ last_day_from('month', start) }}
    when 'year' then {{ last_day_from('year', start) }}
end
{%- endmacro %}

{#- The last day of the month or year that begins on a day. -#}
{% macro last_day_from(part, start) -%}
{{ add_days(first_day_of(part, add_days(start, {'month': 31, 'year': 366}[part])), -1) }}
{%- endmacro %}

{#- A number that grows by one from a day, week or month to the next. -#}
{% macro period_number(day, period_type, first_day_of_week) -%}
case {{ period_type }}
    when 'day' then {{ day_number(day) }}
    when 'week' then {{ week_number(day, first_day_of_week) }}
    else extract(year from {{ day }}) * 12 + extract(month from {{ day }})
end
{%- endmacro %}

{#- What is counted in a period (fct_period_totals), which a goal can be of. -#}
{% macro period_measures() -%}
{{ return([
    'activities', 'distance_m', 'moving_time_s', 'elevation_gain_m', 'energy_kcal', 'training_load', 'active_days'
]) }}
{%- endmacro %}
