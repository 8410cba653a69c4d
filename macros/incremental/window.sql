{#- The window: the days that a run builds, from one day to the last (docs/transform/incremental.md). -#}

{#- The first day (YYYY-MM-DD) that this run builds of the current model; in a build from empty the minimum date. -#}
{% macro window_start() -%}
  {%- set meta = model.config.meta or {} -%}
  {%- if (meta.day and is_incremental()) or (meta.reads_window and has_window()) -%}
    {{ return(last_window_start()) }}
  {%- endif -%}
  {{ return(min_date()) }}
{%- endmacro %}

{#- Whether this run has a window. A compilation without a warehouse may be for a build from empty, which has none. -#}
{% macro has_window() -%}
{{ return(builds_incrementally() if var('compile_incremental') is none else var('compile_incremental')) }}
{%- endmacro %}

{#- The window of this run; of a run that builds a part without its window, the latest one. -#}
{% macro last_window_start() -%}
  {%- set windows = relation_of('int_rebuild_window') -%}
  {%- set is_own = 'case when started_at = ' ~ run_instant() ~ ' then 1 else 0 end' -%}
  {{ return(one_value(
      windows,
      'select cast(rebuild_from as string) from ' ~ windows ~ ' order by ' ~ is_own ~ ' desc, started_at desc limit 1',
      '2026-01-02'
  ) or min_date()) }}
{%- endmacro %}

{% macro min_date() -%}{{ return('1900-01-01') }}{%- endmacro %}

{#- The meta of a model; empty for other nodes. In a unit test dbt knows no meta, so ref() filters nothing: a unit test has the
    rows of the window as inputs, and overrides where it starts. -#}
{% macro meta_of(unique_id) -%}
{{ return(graph.get('nodes', {}).get(unique_id, {}).get('config', {}).get('meta', {})) }}
{%- endmacro %}

{% macro id_of(model_name) -%}{{ return('model.fitness_buddy.' ~ model_name) }}{%- endmacro %}

{#- A relation without ref(), which would add an edge to the graph. Macros use it to query what an earlier run has left, and
    tests use it because an edge would select them with the model. -#}
{% macro relation_of(model_name) -%}
{%- set node = graph.nodes[id_of(model_name)] -%}
{{ return(api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)) }}
{%- endmacro %}

{% macro shifted_day(day, days) -%}
{{ return((modules.datetime.date.fromisoformat(day) + modules.datetime.timedelta(days=days)).isoformat()) }}
{%- endmacro %}

{#- A day (YYYY-MM-DD) as a constant, shifted by some days. -#}
{% macro day_constant(day, shift=0) -%}date '{{ shifted_day(day, shift) }}'{%- endmacro %}

{#- The earliest instant at which a record of that day, or of a later one, can have been loaded: a record is loaded after it
    happened, because readers refuse the future. Two days are the margin for time zones. -#}
{% macro loaded_since(day) -%}timestamp '{{ shifted_day(day, -2) }} 00:00:00'{%- endmacro %}

{#- The instant of this run, as a constant. -#}
{% macro run_instant() -%}
timestamp '{{ run_started_at.replace(tzinfo=none).isoformat(" ") }}'
{%- endmacro %}

{#- The earliest day that a run builds: var reach_days. -#}
{% macro reach() -%}
{{ return(shifted_day(stated_as_of_date() or run_started_at.date().isoformat(), -var('reach_days'))) }}
{%- endmacro %}

{#- The value of a query with one row and one column, as text. None if there is no value, or if the relation does not exist;
    `offline` if there is no warehouse. A node sends a query only once, because an engine may need a second for it. -#}
{% macro one_value(relation, sql, offline) -%}
  {%- if not execute or var('compile_incremental') is not none -%}{{ return(offline) }}{%- endif -%}
  {%- if not is_built(relation) -%}{{ return(none) }}{%- endif -%}
  {%- set name = 'value_' ~ local_md5(sql) -%}
  {%- set known = load_result(name) -%}
  {%- set table = known.table if known else run_query(sql) -%}
  {#- dbt lets a result be loaded only once: store it again for the next call. -#}
  {%- do store_result(name, response=none, agate_table=table) -%}
  {%- set rows = table.rows -%}
  {{ return(rows[0][0] if rows | length else none) }}
{%- endmacro %}

{% macro instant_constant(relation, sql) -%}
{%- set instant = one_value(relation, 'select cast((' ~ sql ~ ') as string)', '2026-01-02 00:00:00') -%}
{{ return("timestamp '" ~ instant ~ "'" if instant else none) }}
{%- endmacro %}

{#- Whether the relation exists from an earlier run; false in unit tests without the input `this`. -#}
{% macro is_built(relation) -%}
  {%- if not execute or var('compile_incremental') is not none -%}
    {{ return(execute and var('compile_incremental')) }}
  {%- endif -%}
  {{ return(relation is not none and load_relation(relation) is not none) }}
{%- endmacro %}
