{#- Select the model's own rows of the days before the window (`lookback_days` in daily()); no rows in a build from empty.
    A value that depends on all days before continues from them: on the last day before the window it is read, from then on
    it is computed, as in `max(coalesce(before.rest_day, case when … end)) over (… order by date_day)`.

    columns: {name: type}. -#}
{% macro lookback(columns) -%}
{%- set start = window_start() if execute else min_date() -%}
{%- if start == min_date() -%}
select
    {%- for name, type in columns.items() %}
    {{ decimal('null') if type == 'numeric' else 'cast(null as ' ~ type ~ ')' }} as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
limit 0
{%- else -%}
{%- set meta = model.config.meta or {} -%}
select {{ columns | join(', ') }}
from {{ this }}
{%- if meta.day %}
where
    {{ meta.day }} >= {{ day_constant(start, -meta.lookback_days) }}
    and {{ meta.day }} < {{ day_constant(start) }}
{%- endif -%}
{%- endif -%}
{%- endmacro %}
