{#- The comment above every statement, which on BigQuery also labels the job (each key of the JSON is a label): the node, and
    the labels of BUDDY_BIGQUERY_LABELS, as on the jobs of `buddy`. -#}
{% macro query_comment(node) -%}
  {%- set labels = {'app': 'fitness_buddy'} -%}
  {%- for label in env_var('BUDDY_BIGQUERY_LABELS', '').split(',') if '=' in label -%}
    {%- do labels.update({label.split('=')[0].strip(): label.split('=')[1].strip()}) -%}
  {%- endfor -%}
  {%- if node -%}
    {%- do labels.update({'dbt_node': node.name, 'dbt_resource_type': node.resource_type}) -%}
  {%- endif -%}
  {{ return(tojson(labels)) }}
{%- endmacro %}
