{#- The table with the state of the last build of all days: settings and as-of date of every athlete, and when it began. The
    hook on-run-end writes it, because only then it is certain that every table of days was built. -#}
{% macro last_build() -%}
{%- set window = graph.nodes[id_of('int_rebuild_window')] -%}
{{ return(api.Relation.create(database=window.database, schema=window.schema, identifier='last_build')) }}
{%- endmacro %}

{#- The table with the ids of the loads that the last build of all days has read. -#}
{% macro last_build_loads() -%}
{%- set loads = graph.nodes[id_of('int_loads')] -%}
{{ return(api.Relation.create(database=loads.database, schema=loads.schema, identifier='last_build_loads')) }}
{%- endmacro %}

{#- The condition of a load that no build of all days has read. It goes by the id: times are those of clocks, and a clock
    that was ahead would hide the loads after it. -#}
{% macro is_unread() -%}
{%- if execute and last_build_began() and is_built(last_build_loads()) -%}
load_id not in (select read_loads.load_id from {{ last_build_loads() }} as read_loads)
{%- else -%}
true
{%- endif -%}
{%- endmacro %}

{#- When that build began, as a constant; none if there was none, or if this run starts from empty. -#}
{% macro last_build_began() -%}
  {%- if not execute or not has_window() or should_full_refresh() -%}{{ return(none) }}{%- endif -%}
  {{ return(instant_constant(last_build(), 'select max(began_at) from ' ~ last_build())) }}
{%- endmacro %}

{#- The columns of int_athlete_settings_scd on which days depend, without those that are computed from them. -#}
{% macro settings_columns() -%}
{%- set derived = ['valid_before', 'valid_from_at', 'valid_before_at', 'is_own'] -%}
{{ return(graph.nodes[id_of('int_athlete_settings_scd')].columns.keys()
    | reject('in', derived) | join(', ')) }}
{%- endmacro %}

{% macro keep_last_build() -%}
  {%- if execute and builds_incrementally() and flags.WHICH in ('build', 'run') -%}
    {%- if flags.EMPTY or flags.SAMPLE -%}
drop table if exists {{ last_build() }}
    {%- elif has_built_all_days() -%}
{{ select_last_build() }}
    {%- endif -%}
  {%- endif -%}
{%- endmacro %}

{% macro select_last_build() -%}
create or replace table {{ last_build() }} as
select
    settings.{{ settings_columns().replace(', ', ', settings.') }},
    athletes.as_of_date,
    {{ run_instant() }} as began_at
from {{ relation_of('int_athlete_settings_scd') }} as settings
inner join {{ relation_of('int_athletes_as_of') }} as athletes on settings.athlete_id = athletes.athlete_id;
create or replace table {{ last_build_loads() }} as
select distinct load_id from {{ relation_of('int_loads') }}
{%- endmacro %}

{#- Whether this run has built every table of days. Only then it has read everything in raw. -#}
{% macro has_built_all_days() -%}
{%- set built = [] -%}
{%- for result in results if result.status == 'success' -%}{%- do built.append(result.node.unique_id) -%}{%- endfor -%}
{%- for node in graph.nodes.values() if node.config.materialized == 'incremental' and node.unique_id not in built -%}
{{ return(false) }}
{%- endfor -%}
{{ return(true) }}
{%- endmacro %}
