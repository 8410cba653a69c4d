{#- Today, for every model: the stated day, or the local day at the stated instant, by default the start of the run. Never
    the engine's clock, so that one run has one today and a past one can be repeated.

    `buddy build` states them in the environment: with other vars dbt would parse the whole project again. -#}
{% macro as_of_date(timezone) -%}
{%- if stated_as_of_date() -%}
date '{{ stated_as_of_date() }}'
{%- else -%}
{{ local_date("timestamp '" ~ (env_var('BUDDY_NOW', '') or run_started_at.isoformat()) ~ "'", timezone) }}
{%- endif -%}
{%- endmacro %}

{#- As text, also where `--vars '{as_of_date: 2026-01-21}'` made a date of it; empty where nothing is stated. -#}
{% macro stated_as_of_date() -%}
  {%- set stated = (var('as_of_date') or env_var('BUDDY_AS_OF_DATE', '')) | string -%}
  {%- if stated and not modules.re.fullmatch('[0-9]{4}-[0-9]{2}-[0-9]{2}', stated) -%}
    {{ exceptions.raise_compiler_error('as_of_date: expected a day such as 2026-01-21, found ' ~ stated) }}
  {%- endif -%}
  {{ return(stated) }}
{%- endmacro %}
