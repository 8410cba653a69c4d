{#- Speed and pace of a distance and a time; of sums they are weighted means. Null if the divisor is zero. -#}
{% macro speed_m_s(distance_m, moving_time_s) -%}
{{ distance_m }} / nullif({{ moving_time_s }}, 0)
{%- endmacro %}

{% macro pace_min_per_km(distance_m, moving_time_s) -%}
({{ moving_time_s }} / 60.0) / nullif({{ distance_m }} / 1000.0, 0)
{%- endmacro %}
