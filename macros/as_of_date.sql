{#- Today, for every model: var('as_of_date'), or the local day on which this run started. Never the engine's clock, so
    that one run has one today and a past one can be repeated. -#}
{% macro as_of_date(timezone) -%}
{%- if var('as_of_date') -%}
date '{{ var("as_of_date") }}'
{%- else -%}
{{ local_date("timestamp '" ~ run_started_at.isoformat() ~ "'", timezone) }}
{%- endif -%}
{%- endmacro %}
