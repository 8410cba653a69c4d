{#- The energy of one nutrient by its Atwater factor in kcal per gram (see the doc block energy_kcal). -#}
{% macro nutrient_kcal(nutrient, grams) -%}
{{ {'carbs': 4, 'protein': 4, 'fat': 9, 'alcohol': 7}[nutrient] }} * {{ grams }}
{%- endmacro %}

{% macro energy_kcal(carbs_g, protein_g, fat_g, alcohol_g) -%}
(
    {{ nutrient_kcal('carbs', carbs_g) }} + {{ nutrient_kcal('protein', protein_g) }}
    + {{ nutrient_kcal('fat', fat_g) }} + {{ nutrient_kcal('alcohol', alcohol_g) }}
)
{%- endmacro %}

{#- A share in percent; null if the whole is zero. -#}
{% macro percentage(part, whole) -%}
100.0 * {{ part }} / nullif({{ whole }}, 0)
{%- endmacro %}
