{#- The window: the days that a run builds, from one day on (docs/transform/incremental.md). -#}

{#- The first day (YYYY-MM-DD) that the model being built builds in this run; in a build from empty the first of all. -#}
{% macro window_start() -%}
  {%- set meta = model.config.meta or {} -%}
  {%- if (meta.day and is_incremental()) or (meta.reads_window and has_window()) -%}
    {{ return(last_window_start()) }}
  {%- endif -%}
  {{ return(min_date()) }}
{%- endmacro %}

{#- Whether this run has a window: not where a compilation without a warehouse stands for a build from empty. -#}
{% macro has_window() -%}
{{ return(builds_incrementally() if var('compile_incremental') is none else var('compile_incremental')) }}
{%- endmacro %}

{% macro last_window_start() -%}
  {%- set windows = relation_of('int_rebuild_window') -%}
  {{ return(one_value(
      windows, 'select cast(rebuild_from as string) from ' ~ windows ~ ' order by started_at desc limit 1', '2026-01-02'
  ) or min_date()) }}
{%- endmacro %}

{% macro min_date() -%}{{ return('1900-01-01') }}{%- endmacro %}

{#- What a model states as meta; nothing for other nodes. In a unit test dbt knows of none, so that nothing is filtered
    there: a unit test gives the rows of the window, and says by override where it starts. -#}
{% macro meta_of(unique_id) -%}
{{ return(graph.get('nodes', {}).get(unique_id, {}).get('config', {}).get('meta', {})) }}
{%- endmacro %}

{% macro id_of(model_name) -%}{{ return('model.' ~ project_name ~ '.' ~ model_name) }}{%- endmacro %}

{#- Without ref(), which would draw an edge in the graph: for what a run before this one has left (macros that ask the
    warehouse), and for tests, which would be selected with it. -#}
{% macro relation_of(model_name) -%}
{%- set node = graph.nodes[id_of(model_name)] -%}
{{ return(api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)) }}
{%- endmacro %}

{% macro shifted_day(day, days) -%}
{{ return((modules.datetime.date.fromisoformat(day) + modules.datetime.timedelta(days=days)).isoformat()) }}
{%- endmacro %}

{#- A day (YYYY-MM-DD) as a constant, some days later or (negative) earlier. -#}
{% macro day_constant(day, shift=0) -%}date '{{ shifted_day(day, shift) }}'{%- endmacro %}

{#- The earliest instant at which a version of a record of that day or a later one can have been loaded: a record is
    loaded after it happened (readers refuse the future). Two days leave room for time zones. -#}
{% macro loaded_since(day) -%}timestamp '{{ shifted_day(day, -2) }} 00:00:00'{%- endmacro %}

{#- The instant of this run, as a constant. -#}
{% macro run_instant() -%}
timestamp '{{ run_started_at.replace(tzinfo=none).isoformat(" ") }}'
{%- endmacro %}

{#- The day before which no run builds anything: var reach_days. -#}
{% macro reach() -%}
{{ return(shifted_day(stated_as_of_date() or run_started_at.date().isoformat(), -var('reach_days'))) }}
{%- endmacro %}

{#- The one value of a query on a relation, as text. None where there is no value, or no relation yet; `offline` where
    there is no warehouse to ask. A node asks the same only once: an engine may take a second to answer. -#}
{% macro one_value(relation, sql, offline) -%}
  {%- if not execute or var('compile_incremental') is not none -%}{{ return(offline) }}{%- endif -%}
  {%- if not is_built(relation) -%}{{ return(none) }}{%- endif -%}
  {%- set name = 'value_' ~ local_md5(sql) -%}
  {%- set known = load_result(name) -%}
  {%- set table = known.table if known else run_query(sql) -%}
  {#- A result can be loaded once: keep it for the next question. -#}
  {%- do store_result(name, response=none, agate_table=table) -%}
  {%- set rows = table.rows -%}
  {{ return(rows[0][0] if rows | length else none) }}
{%- endmacro %}

{% macro instant_constant(relation, sql) -%}
{%- set instant = one_value(relation, 'select cast((' ~ sql ~ ') as string)', '2026-01-02 00:00:00') -%}
{{ return("timestamp '" ~ instant ~ "'" if instant else none) }}
{%- endmacro %}

{#- Whether a run before this one has left the relation; false in unit tests without the input `this`. -#}
{% macro is_built(relation) -%}
  {%- if not execute or var('compile_incremental') is not none -%}
    {{ return(execute and var('compile_incremental')) }}
  {%- endif -%}
  {{ return(relation is not none and load_relation(relation) is not none) }}
{%- endmacro %}
