{#- The config of a table of days, used as `{{ config(**daily('activity_date')) }}`. A model says nothing else about how it is
    built (docs/transform/incremental.md).

    lookback_days: how many days before the window the model also reads, from the tables that it refers to and from its own
    rows (lookback.sql). -#}
{% macro daily(day, lookback_days=0) -%}
  {{- build_after_window() -}}
  {{ return(day_layout(day, builds_incrementally(), {'day': day, 'lookback_days': lookback_days})) }}
{%- endmacro %}

{#- The config of a table with one row for each key, as of the last day. It needs the last day of tables of days only, so it
    reads their window, like a table of days. -#}
{% macro latest() -%}
  {{- build_after_window() -}}
  {{ return({'materialized': 'table', 'meta': {'reads_window': true}}) }}
{%- endmacro %}

{#- Add an edge to dbt's graph, so that the window is known before a table of days is built. -#}
{% macro build_after_window() -%}
  {%- if not execute -%}{%- do builtins.ref('int_rebuild_window') -%}{%- endif -%}
{%- endmacro %}

{#- Whether a run builds only the days of its window: BUDDY_INCREMENTAL (true or false), else the default of the engine. -#}
{% macro builds_incrementally() -%}
  {%- set stated = env_var('BUDDY_INCREMENTAL', '') -%}
  {%- if stated not in ('', 'true', 'false') -%}
    {{ exceptions.raise_compiler_error('BUDDY_INCREMENTAL: expected true or false, found ' ~ stated) }}
  {%- endif -%}
  {{ return(stated == 'true' if stated else is_incremental_by_default()) }}
{%- endmacro %}
