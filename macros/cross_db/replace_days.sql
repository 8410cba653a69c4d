{#- Replace the rows of a table from a day on (YYYY-MM-DD) by new ones. Only new rows of these days are
    inserted: rows of earlier days that a model also returns are in the table already. -#}
{% macro replace_days(target, day, since, rows, columns) -%}
{{ return(adapter.dispatch('replace_days', 'fitness_buddy')(target, day, since, rows, columns)) }}
{%- endmacro %}

{#- One atomic statement; the constants prune the partitions of the target. dbt's own insert_overwrite would replace only the
    days of the new rows, and keep a day whose last row was deleted. -#}
{% macro bigquery__replace_days(target, day, since, rows, columns) -%}
{%- for span in day_spans(since) %}
merge into {{ target }} as target
using (select * from {{ rows }} where {{ in_span(day, span) }}) as rows_now
on false
when not matched by source and {{ in_span('target.' ~ day, span) }} then delete
when not matched then insert ({{ columns }}) values ({{ columns }});
{%- endfor %}
{%- endmacro %}

{#- Two statements in the transaction that dbt has opened. -#}
{% macro duckdb__replace_days(target, day, since, rows, columns) -%}
delete from {{ target }} where {{ day }} >= {{ day_constant(since) }};
insert into {{ target }} ({{ columns }}) select {{ columns }} from {{ rows }} where {{ day }} >= {{ day_constant(since) }}
{%- endmacro %}
