{#- One part of a text between spaces, counted from 0; null if it has fewer. -#}
{% macro text_part(text, number) -%}
{{ return(adapter.dispatch('text_part', 'fitness_buddy')(text, number)) }}
{%- endmacro %}

{% macro bigquery__text_part(text, number) -%}split({{ text }}, ' ')[safe_offset({{ number }})]{%- endmacro %}

{% macro duckdb__text_part(text, number) -%}nullif(split_part({{ text }}, ' ', {{ number + 1 }}), ''){%- endmacro %}
