{#- Atwater factors, kcal per gram (docs: energy_kcal). -#}
{% macro energy_kcal(carbs_g, protein_g, fat_g, alcohol_g) -%}
(4 * {{ carbs_g }} + 4 * {{ protein_g }} + 9 * {{ fat_g }} + 7 * {{ alcohol_g }})
{%- endmacro %}

{#- A share in percent; null where the whole is zero. -#}
{% macro percentage(part, whole) -%}
100.0 * {{ part }} / nullif({{ whole }}, 0)
{%- endmacro %}
