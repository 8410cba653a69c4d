{{ config(**daily('meal_date')) }}

with meals as (
    select * from {{ ref('int_meals_localized') }}
    where is_believable
),

final as (
    select
        athlete_id,
        meal_id,
        eaten_at,
        meal_date,
        description,
        carbs_g,
        protein_g,
        fat_g,
        alcohol_g,
        energy_kcal,
        energy_kcal_stated,
        {{ percentage(nutrient_kcal('carbs', 'carbs_g'), 'energy_kcal') }} as carbs_pct_energy,
        {{ percentage(nutrient_kcal('protein', 'protein_g'), 'energy_kcal') }} as protein_pct_energy,
        {{ percentage(nutrient_kcal('fat', 'fat_g'), 'energy_kcal') }} as fat_pct_energy,
        {{ percentage('carbs_g', '(carbs_g + protein_g + fat_g)') }} as carbs_pct_grams,
        {{ percentage('protein_g', '(carbs_g + protein_g + fat_g)') }} as protein_pct_grams,
        {{ percentage('fat_g', '(carbs_g + protein_g + fat_g)') }} as fat_pct_grams,
        -- null if no energy was stated: there is nothing to compare the macros with
        {{ is_energy_plausible('energy_kcal_stated', 'energy_kcal', 'fiber_g') }} as is_energy_plausible,
        estimate_confidence
    from meals
)

select * from final
