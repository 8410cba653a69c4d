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

{#- What an interval adds to those that come before it: its steps in the time that is left to it, and no more than it
    counted beyond theirs (steps_before). -#}
{% macro steps_left(steps, left_ms, of_ms, before) -%}
least({{ steps }} * {{ left_ms }} / ({{ of_ms }}), greatest({{ steps }} - {{ before }}, 0))
{%- endmacro %}

{#- The steps of those that come before an interval, in its time, as far as their time does not say it all: where a record
    has no length, and where the interval is longer than an hour. Nobody walks evenly for hours, so that is a total: a
    record of the whole day adds nothing to the minutes that it sums up. -#}
{% macro steps_before(is_first, first_per_ms) -%}
{{ exact_sum(
    'case when not ' ~ is_first ~ ' and (ends_ms - starts_ms > 3600000 or duration_ms = 1) then '
    ~ first_per_ms ~ ' * duration_ms else 0 end'
) }}
{%- endmacro %}
