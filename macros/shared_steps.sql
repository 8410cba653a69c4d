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

{#- What an interval adds to those that come before it: its steps in the time that is left to it. Nobody walks evenly for
    hours, so a record of more than an hour is taken as a total: it adds no more than it counted beyond the steps of the
    others in its time. So a record of the whole day adds nothing to the minutes that it sums up. -#}
{% macro steps_left(steps, left_ms, of_ms, steps_before) -%}
case
    when ends_ms - starts_ms <= 3600000 then {{ steps }} * {{ left_ms }} / ({{ of_ms }})
    else least({{ steps }} * {{ left_ms }} / ({{ of_ms }}), greatest({{ steps }} - {{ steps_before }}, 0))
end
{%- endmacro %}
