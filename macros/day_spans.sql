{#- BigQuery lets one statement modify 4,000 partitions, eleven years of days; athletes have more. So days are written in
    spans of ten years: one span, and one statement, for a daily run. -#}
{% macro day_spans(since) -%}
  {%- set date = modules.datetime.date -%}
  {%- set first = date.fromisoformat([since, first_day()] | max) -%}
  {%- set ends = namespace(all=[]) -%}
  {%- for number in range(1, 60) -%}
    {%- set end = first + modules.datetime.timedelta(days=3650 * number) -%}
    {%- if end <= run_started_at.date() -%}{%- do ends.all.append(end.isoformat()) -%}{%- endif -%}
  {%- endfor -%}
  {%- set spans = [] -%}
  {%- for start in [since] + ends.all -%}
    {%- do spans.append({'start': start, 'end': ends.all[loop.index0] if loop.index0 < ends.all | length}) -%}
  {%- endfor -%}
  {{ return(spans) }}
{%- endmacro %}

{% macro in_span(day, span) -%}
{{ day }} >= {{ day_constant(span.start) }}{% if span.end %} and {{ day }} < {{ day_constant(span.end) }}{% endif %}
{%- endmacro %}

{#- The earliest day that any record has told of. -#}
{% macro first_day() -%}
{{ return(one_value(
    relation_of('int_rebuild_window'),
    'select cast(min(first_day) as string) from ' ~ relation_of('int_rebuild_window'),
    '2026-01-01'
) or run_started_at.date().isoformat()) }}
{%- endmacro %}
