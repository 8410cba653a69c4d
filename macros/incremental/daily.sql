{#- The config of a table of days, as `{{ config(**daily('activity_date')) }}`: all that a model says of how it is built
    (docs/transform/incremental.md).

    lookback_days: how many days before the window the model reads as well, of the tables that it refers to and of its
    own rows (lookback.sql). -#}
{% macro daily(day, lookback_days=0) -%}
  {{- build_after_window() -}}
  {{ return(day_layout(day, builds_incrementally(), {'day': day, 'lookback_days': lookback_days})) }}
{%- endmacro %}

{#- The config of a table with one row for each key as of the last day. It reads tables of days for that day only:
    of their rows it gets the window, like a table of days. -#}
{% macro latest() -%}
  {{- build_after_window() -}}
  {{ return({'materialized': 'table', 'meta': {'reads_window': true}}) }}
{%- endmacro %}

{#- Draw the edge in dbt's graph: the window is known before any table of days is built. -#}
{% macro build_after_window() -%}
  {%- if not execute -%}{%- do builtins.ref('int_rebuild_window') -%}{%- endif -%}
{%- endmacro %}

{#- Whether a run builds the days of its window only: BUDDY_INCREMENTAL (true or false), else as the engine needs it. -#}
{% macro builds_incrementally() -%}
  {%- set stated = env_var('BUDDY_INCREMENTAL', '') -%}
  {%- if stated not in ('', 'true', 'false') -%}
    {{ exceptions.raise_compiler_error('BUDDY_INCREMENTAL: expected true or false, found ' ~ stated) }}
  {%- endif -%}
  {{ return(stated == 'true' if stated else is_incremental_by_default()) }}
{%- endmacro %}
