{#- Replace the rows of a table from a day on (YYYY-MM-DD) by new ones. Of the new rows only those of these days are
    taken: whatever else a model gives out is there already. -#}
{% macro replace_days(target, day, since, rows, columns) -%}
{{ return(adapter.dispatch('replace_days')(target, day, since, rows, columns)) }}
{%- endmacro %}

{#- One atomic statement, and the constants prune the target's partitions. dbt's own insert_overwrite replaces the days
    that it finds in the new rows: a day whose last row was deleted would stay. -#}
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
