{#- The as-of date of every model: the stated day, or the local day at the stated instant, by default the start of the run.
    The engine's clock is never used, so that one run has one date, and a past run can be repeated.

    `buddy build` states day and instant in the environment: with other vars dbt would parse the whole project again. -#}
{% macro as_of_date(timezone) -%}
{%- if stated_as_of_date() -%}
date '{{ stated_as_of_date() }}'
{%- else -%}
{{ local_date("timestamp '" ~ (env_var('BUDDY_NOW', '') or run_started_at.isoformat()) ~ "'", timezone) }}
{%- endif -%}
{%- endmacro %}

{#- The stated day as text, also if `--vars '{as_of_date: 2026-01-21}'` has made it a date; empty if none is stated. -#}
{% macro stated_as_of_date() -%}
  {%- set stated = (var('as_of_date') or env_var('BUDDY_AS_OF_DATE', '')) | string -%}
  {%- if stated and not modules.re.fullmatch('[0-9]{4}-[0-9]{2}-[0-9]{2}', stated) -%}
    {{ exceptions.raise_compiler_error('as_of_date: expected a day such as 2026-01-21, found ' ~ stated) }}
  {%- endif -%}
  {{ return(stated) }}
{%- endmacro %}
