{#- How the steps of intervals that claim the same time are shared (int_step_intervals_resolved). Steps are taken to be
    spread evenly over their interval, as HealthKit and Health Connect do. -#}

{#- The steps of a record up to an instant inside it; whole numbers at a midnight, so that the parts of it add up. -#}
{% macro steps_until(at_ms) -%}
case {{ at_ms }}
    when record_starts_ms then 0
    when record_ends_ms then steps
    else round(steps * ({{ at_ms }} - record_starts_ms) / (record_ends_ms - record_starts_ms))
end
{%- endmacro %}

{#- The steps that an interval adds after the intervals that rank before it: its share for the time that none of them
    covers, and at most its own steps minus those that were already counted in its time (steps_before). -#}
{% macro steps_left(steps, left_ms, of_ms, before) -%}
least({{ steps }} * {{ left_ms }} / ({{ of_ms }}), greatest({{ steps }} - {{ before }}, 0))
{%- endmacro %}

{#- The steps that intervals ranking before it have counted in the time of an interval. They are subtracted only if a record
    has no length, or if this interval is longer than an hour; otherwise its remaining time is enough. Nobody walks evenly
    for hours, so a long interval is a total: a record of the whole day adds nothing to the minutes that it sums up. -#}
{% macro steps_before(is_first, first_per_ms) -%}
{{ exact_sum(
    'case when not ' ~ is_first ~ ' and (ends_ms - starts_ms > 3600000 or duration_ms = 1) then '
    ~ first_per_ms ~ ' * duration_ms else 0 end'
) }}
{%- endmacro %}
