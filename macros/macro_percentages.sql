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

{#- Whether a stated energy fits that of the macros, in which a gram of fibre has 0 to 4 kcal. Messages about meals have the
    same rule (ingest/sources/values.py; a test compares them). -#}
{% macro is_energy_plausible(stated_kcal, energy_kcal, fiber_g) -%}
{%- set least_kcal = 'greatest(0, ' ~ energy_kcal ~ ' - ' ~ nutrient_kcal('carbs', 'coalesce(' ~ fiber_g ~ ', 0)') ~ ')' -%}
{%- set tolerance, rounding_kcal = var('energy_tolerance'), var('energy_rounding_kcal') -%}
(
    {{ stated_kcal }} >= {{ least_kcal }} - greatest({{ rounding_kcal }}, {{ tolerance }} * {{ least_kcal }})
    and {{ stated_kcal }} <= {{ energy_kcal }} + greatest({{ rounding_kcal }}, {{ tolerance }} * {{ energy_kcal }})
)
{%- endmacro %}

{#- A share in percent; null if the whole is zero. -#}
{% macro percentage(part, whole) -%}
100.0 * {{ part }} / nullif({{ whole }}, 0)
{%- endmacro %}
