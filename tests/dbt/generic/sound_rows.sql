{#- The grain holds: no two rows share the key, and none of its columns is null. No row meets any of the conditions of
    `never`; for those of `warns` the test only warns, because rows that meet them are set aside or are some athlete's own.
    One test for each model, because every test costs dbt time and a query; the rows it gives say what is broken, and
    `buddy build` shows them. -#}
{% test sound_rows(model, key=[], never=[], warns=[]) %}
{{- config(error_if='> 0 and min(only_warns) = 0') if warns }}
{%- set conditions = [] -%}
{%- for column in key -%}{%- do conditions.append(column ~ ' is null') -%}{%- endfor %}
{%- if key %}
select
    {{ dbt.string_literal(dbt.escape_single_quotes(key | join(', ') ~ ': not unique')) }} as broken,
    0 as only_warns,
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
    met || met_warns as broken,
    case when met = '' then 1 else 0 end as only_warns,
    count(*) as broken_rows
from (
    select
        {{ met_conditions(conditions + never) }} as met,
        {{ met_conditions(warns) }} as met_warns
    from {{ model }}
) as checked
where met <> '' or met_warns <> ''
group by met, met_warns
{% endtest %}
