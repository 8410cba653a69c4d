{#- Limit a data test inside an incremental `dbt build` to new rows: the versions since the last build, and the days of the
    window. All other rows were tested when they were new. `dbt test` tests all rows. -#}
{% macro get_where_subquery(relation) -%}
  {%- set tested = graph.nodes.get(model.attached_node) if execute and flags.WHICH == 'build' -%}
  {%- set conditions = [config.get('where')] if config.get('where') else [] -%}
  {%- if tested and builds_incrementally() -%}
    {%- if tested.fqn[1] == 'staging' -%}
      {%- do conditions.append('loaded_at >= ' ~ loads_after(relation_of('int_loads'))) -%}
    {%- elif tested.config.meta.day -%}
      {%- do conditions.append(tested.config.meta.day ~ ' >= ' ~ day_constant(last_window_start())) -%}
    {%- endif -%}
  {%- endif -%}
  {%- if conditions -%}
    {{ return('(select * from ' ~ relation ~ ' where (' ~ conditions | join(') and (') ~ ')) as anew') }}
  {%- endif -%}
  {{ return(relation) }}
{%- endmacro %}
