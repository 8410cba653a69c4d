{#- Inside `dbt build` a data test looks at what an incremental build has anew: at the versions that came since the last
    one, and at the days of the window. The rest was tested when it was new; `dbt test` looks at all of it. -#}
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
