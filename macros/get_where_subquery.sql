{#- Inside `dbt build` a data test looks at the days that were built anew, as those before them were tested when they
    were built; `dbt test` looks at all of it. -#}
{% macro get_where_subquery(relation) -%}
  {%- set tested = graph.nodes.get(model.attached_node) if execute and flags.WHICH == 'build' -%}
  {%- if tested and tested.config.meta.day -%}
    {#- Not by ref(): every test would hang on that model, and be selected with it. -#}
    {%- set model = graph.nodes['model.' ~ project_name ~ '.int_rebuild_window'] -%}
    {%- set windows = api.Relation.create(database=model.database, schema=model.schema, identifier=model.alias) -%}
    {%- set conditions = [tested.config.meta.day ~ ' >= ' ~ day_constant(last_rebuild_from(windows))] -%}
    {%- if config.get('where') -%}{%- do conditions.append('(' ~ config.get('where') ~ ')') -%}{%- endif -%}
    {{ return('(select * from ' ~ relation ~ ' where ' ~ conditions | join(' and ') ~ ') as days_built') }}
  {%- endif -%}
  {{ return(dbt.default__get_where_subquery(relation)) }}
{%- endmacro %}
