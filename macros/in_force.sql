{#- Join conditions for the settings of an athlete (int_athlete_settings_scd, with the alias `settings`): the settings in
    force at an instant, or on a local day. -#}
{% macro in_force_at(instant) -%}
({{ instant }} >= settings.valid_from_at and {{ instant }} < settings.valid_before_at)
{%- endmacro %}

{% macro in_force_on(day) -%}
({{ day }} >= settings.valid_from and {{ day }} < settings.valid_before)
{%- endmacro %}
