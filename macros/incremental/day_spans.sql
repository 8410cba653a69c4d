{#- Spans of ten years, in which days are written: BigQuery lets one statement modify 4,000 partitions, eleven years of days,
    and athletes have more. A daily run has one span, and one statement. -#}
{% macro day_spans(since) -%}
  {%- set first = [since, first_day()] | max -%}
  {%- set ends = [] -%}
  {%- for number in range(1, 60) -%}
    {%- set end = shifted_day(first, 3650 * number) -%}
    {%- if end <= run_started_at.date().isoformat() -%}{%- do ends.append(end) -%}{%- endif -%}
  {%- endfor -%}
  {%- set spans = [] -%}
  {%- for start in [since] + ends -%}
    {%- do spans.append({'start': start, 'end': ends[loop.index0] if loop.index0 < ends | length}) -%}
  {%- endfor -%}
  {{ return(spans) }}
{%- endmacro %}

{% macro in_span(day, span) -%}
{{ day }} >= {{ day_constant(span.start) }}{% if span.end %} and {{ day }} < {{ day_constant(span.end) }}{% endif %}
{%- endmacro %}

{#- The earliest day of all records. -#}
{% macro first_day() -%}
{%- set windows = relation_of('int_rebuild_window') -%}
{{ return(one_value(windows, 'select cast(min(first_day) as string) from ' ~ windows, '2026-01-01')
    or run_started_at.date().isoformat()) }}
{%- endmacro %}
