{#- Incremental models replace whole days from one day on (docs/incremental.md). -#}

{#- The first local day that this run builds anew (YYYY-MM-DD), in a build from empty the first of all. -#}
{% macro rebuild_from() -%}
  {%- if not execute or is_incremental() -%}{{ return(last_rebuild_from(ref('int_rebuild_window'))) }}{%- endif -%}
  {{ return(since_ever()) }}
{%- endmacro %}

{% macro last_rebuild_from(windows) -%}
{{ return(one_value(
    windows, "select cast(rebuild_from as string) from " ~ windows ~ " order by started_at desc limit 1", '2026-01-02'
) or since_ever()) }}
{%- endmacro %}

{% macro since_ever() -%}{{ return('1900-01-01') }}{%- endmacro %}

{#- A day as a constant, some days later or (negative) earlier. -#}
{% macro day_constant(day, shift=0) -%}
date '{{ (modules.datetime.date.fromisoformat(day) + modules.datetime.timedelta(days=shift)).isoformat() }}'
{%- endmacro %}

{#- From when on the versions were loaded that can say anything of a day or a later one: a record is loaded when it has
    happened, never before (readers refuse the future). Two days leave room for time zones. -#}
{% macro loaded_since(day) -%}
timestamp '{{ (modules.datetime.date.fromisoformat(day) - modules.datetime.timedelta(days=2)).isoformat() }} 00:00:00'
{%- endmacro %}

{#- The instant of this run, as a constant. -#}
{% macro run_instant() -%}
timestamp '{{ run_started_at.replace(tzinfo=none).isoformat(" ") }}'
{%- endmacro %}

{#- From when on there may be loads that a table of loads has not seen: a load becomes visible when it is complete, up to
    an hour after the instant that its rows carry. -#}
{% macro loads_after(loads) -%}
{{ return(instant_constant(loads, 'select ' ~ dbt.dateadd('hour', -1, 'max(loaded_at)') ~ ' from ' ~ loads)
    or loaded_since(since_ever())) }}
{%- endmacro %}

{#- When the last build began that built every day it had to. -#}
{% macro last_built_at(settings_built) -%}
{{ return(instant_constant(settings_built, 'select max(built_at) from ' ~ settings_built)
    or loaded_since(since_ever())) }}
{%- endmacro %}

{% macro instant_constant(relation, sql) -%}
{%- set instant = one_value(relation, 'select cast((' ~ sql ~ ') as string)', '2026-01-02 00:00:00') -%}
{{ return("timestamp '" ~ instant ~ "'" if instant else none) }}
{%- endmacro %}

{#- A day that a run does not reach behind: var reach_days. -#}
{% macro reach() -%}
{%- set today = modules.datetime.date.fromisoformat(var('as_of_date') or run_started_at.date().isoformat()) -%}
{{ return((today - modules.datetime.timedelta(days=var('reach_days'))).isoformat()) }}
{%- endmacro %}

{#- Whether this run builds every model that replaces days: only then has it caught up with raw. -#}
{% macro builds_all_days() -%}
{%- for node in graph.nodes.values()
    if node.resource_type == 'model' and node.config.meta.day and node.unique_id not in selected_resources -%}
{{ return(false) }}
{%- endfor -%}
{{ return(true) }}
{%- endmacro %}

{#- Whether a run before this one has left the table; false in unit tests without the input `this`. -#}
{% macro is_built(relation) -%}
  {%- if not execute or var('compile_incremental') is not none -%}
    {{ return(execute and var('compile_incremental')) }}
  {%- endif -%}
  {{ return(relation is not none and load_relation(relation) is not none) }}
{%- endmacro %}

{#- Totals over all of an athlete's days are kept settled up to a day, so that a run adds the days since and not history:
    the day before which a table of such totals holds everything. -#}
{% macro settled_before(totals) -%}
{{ return(one_value(
    totals, 'select cast(max(settled_before) as string) from ' ~ totals, '2026-01-01'
) or since_ever()) }}
{%- endmacro %}

{#- For such a table's own model: up to where its last totals can be added to, when `since` is the first day that this
    run builds anew. The first of all days where they cannot: they hold days that have changed. -#}
{% macro totals_go_on_from(since) -%}
  {%- if is_built(this) and not should_full_refresh() -%}
    {%- set settled = settled_before(this) -%}
    {%- if settled <= since -%}{{ return(settled) }}{%- endif -%}
  {%- endif -%}
  {{ return(since_ever()) }}
{%- endmacro %}
