{#- The instant at which a local day begins, in milliseconds since 1970: by the offset that the source states, else in the
    athlete's time zone. -#}
{% macro midnight_ms(day, utc_offset_s, timezone) -%}
case
    when {{ utc_offset_s }} is null then {{ unix_milliseconds(utc_from_local(day, timezone)) }}
    else ({{ day_number(day) }} * 86400 - {{ utc_offset_s }}) * 1000
end
{%- endmacro %}
