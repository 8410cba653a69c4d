{#- The conditions that a row meets, as one text; empty if it meets none (tests/dbt/generic/sound_rows.sql). -#}
{% macro met_conditions(conditions) -%}
    {%- for condition in conditions -%}
        case when {{ condition }} then {{ dbt.string_literal(dbt.escape_single_quotes(condition) ~ '; ') }} else '' end
        {{- ' || ' if not loop.last }}
        {% endfor -%}
    {{ "''" if not conditions }}
{%- endmacro %}
