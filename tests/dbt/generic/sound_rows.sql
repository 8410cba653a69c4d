{#- The grain holds: no two rows share the key, and none of its columns is null. And no row meets any of the conditions.
    One test for each model, because every test costs dbt time and a query; the rows it gives say what is broken, and
    `buddy build` shows them. Without a key it looks at the conditions only, as for a test that warns. -#}
{% test sound_rows(model, key=[], never=[]) %}
{%- set conditions = [] -%}
{%- for column in key -%}{%- do conditions.append(column ~ ' is null') -%}{%- endfor %}
{%- if key %}
select
    {{ dbt.string_literal(dbt.escape_single_quotes(key | join(', ') ~ ': not unique')) }} as broken,
    count(*) as broken_rows
from (
    select {{ key | join(', ') }}
    from {{ model }}
    group by {{ key | join(', ') }}
    having count(*) > 1
) as repeated
having count(*) > 0
union all
{%- endif %}
select
    broken,
    count(*) as broken_rows
from (
    select
        {% for condition in conditions + never -%}
        case when {{ condition }} then {{ dbt.string_literal(dbt.escape_single_quotes(condition) ~ '; ') }} else '' end
        {{- ' || ' if not loop.last }}
        {% endfor -%}
        as broken
    from {{ model }}
) as checked
where broken <> ''
group by broken
{% endtest %}
