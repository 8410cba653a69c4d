{#- dbt's own ref(), with filters in an incremental run of a table of days: from another table of days it returns the window
    and the lookback window, from staging the versions that can belong to these days, of points (meta event_at) those that
    were recorded then. The filters are constants, because engines prune partitions by constants and not by subqueries. -#}
{% macro ref() -%}
  {%- set relation = builtins.ref(*varargs, **kwargs) -%}
  {%- set meta = model.config.meta if execute else none -%}
  {%- if not meta or not (meta.day or meta.reads_window) -%}{{ return(relation) }}{%- endif -%}
  {%- set start = window_start() -%}
  {%- if start == min_date() -%}{{ return(relation) }}{%- endif -%}
  {%- set first_day = shifted_day(start, -(meta.lookback_days or 0)) -%}
  {%- set read = meta_of(id_of(varargs[-1])) -%}
  {%- if read.day -%}
    {{ return('(select * from ' ~ relation ~ ' where ' ~ read.day ~ ' >= ' ~ day_constant(first_day) ~ ')') }}
  {%- elif read.event_at -%}
    {{ return('(select * from ' ~ relation ~ ' where ' ~ read.event_at ~ ' >= ' ~ loaded_since(first_day) ~ ')') }}
  {%- elif read.event_day -%}
    {{ return('(select * from ' ~ relation ~ ' where loaded_at >= ' ~ loaded_since(first_day) ~ ')') }}
  {%- endif -%}
  {{ return(relation) }}
{%- endmacro %}
