{#- The one place that says which of a record's versions is current: the last one loaded. A deletion is a version, too. -#}
{% macro current_versions(versions, record_id) -%}
select * from {{ versions }}
qualify row_number() over (partition by athlete_id, {{ record_id }} order by loaded_at desc, load_id desc) = 1
{%- endmacro %}
