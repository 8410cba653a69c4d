{#- A flag of a payload: true if it is set, in any spelling of Strava's export; false or null otherwise. -#}
{% macro json_flag(column, path) -%}
lower({{ json_text(column, path) }}) in ('true', '1', '1.0')
{%- endmacro %}
