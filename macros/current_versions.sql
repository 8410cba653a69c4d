{#- Select the current version of each record: the one that was loaded last. A tombstone is a version, too. -#}
{% macro current_versions(versions, record_id) -%}
select * from {{ versions }}
qualify row_number() over (partition by athlete_id, {{ record_id }} order by loaded_at desc, load_id desc) = 1
{%- endmacro %}
