{{ config(**daily('meal_date')) }}

with meals as (
    select * from {{ ref('fct_meals') }}
),

days as (
    select * from {{ ref('int_date_spine') }}
),

summed as (
    select
        athlete_id,
        meal_date,
        count(*) as meals,
        {{ exact_sum('carbs_g') }} as carbs_g,
        {{ exact_sum('protein_g') }} as protein_g,
        {{ exact_sum('fat_g') }} as fat_g,
        {{ exact_sum('alcohol_g') }} as alcohol_g,
        {{ exact_sum('energy_kcal') }} as energy_kcal,
        -- a meal without energy has no percentages and is not in their mean
        {{ exact_avg('carbs_pct_energy') }} as avg_carbs_pct,
        {{ exact_avg('protein_pct_energy') }} as avg_protein_pct,
        {{ exact_avg('fat_pct_energy') }} as avg_fat_pct
    from meals
    group by athlete_id, meal_date
),

targeted as (
    select
        summed.athlete_id,
        summed.meal_date,
        summed.meals,
        summed.carbs_g,
        summed.protein_g,
        summed.fat_g,
        summed.alcohol_g,
        summed.energy_kcal,
        summed.avg_carbs_pct,
        summed.avg_protein_pct,
        summed.avg_fat_pct,
        {{ percentage(nutrient_kcal('carbs', 'summed.carbs_g'), 'summed.energy_kcal') }} as carbs_pct_energy,
        {{ percentage(nutrient_kcal('protein', 'summed.protein_g'), 'summed.energy_kcal') }} as protein_pct_energy,
        {{ percentage(nutrient_kcal('fat', 'summed.fat_g'), 'summed.energy_kcal') }} as fat_pct_energy,
        days.carbs_target_pct,
        days.protein_target_pct,
        days.fat_target_pct,
        days.macro_tolerance_pct
    from summed
    inner join days on summed.athlete_id = days.athlete_id and summed.meal_date = days.date_day
),

compared as (
    select
        *,
        abs(avg_carbs_pct - carbs_target_pct) <= macro_tolerance_pct as is_carbs_on_target,
        abs(avg_protein_pct - protein_target_pct) <= macro_tolerance_pct as is_protein_on_target,
        abs(avg_fat_pct - fat_target_pct) <= macro_tolerance_pct as is_fat_on_target
    from targeted
),

final as (
    select
        *,
        is_carbs_on_target and is_protein_on_target and is_fat_on_target as is_on_target
    from compared
)

select * from final
