{{ config(**daily('meal_date')) }}

with versions as (
    select * from {{ ref('stg_meals__entries') }}
),

meals as (
    {{ current_versions('versions', 'meal_id') | indent }}
),

settings as (
    select * from {{ ref('int_athlete_settings_scd') }}
),

athletes as (
    select * from {{ ref('int_athletes_as_of') }}
),

dated as (
    select
        meals.*,
        coalesce(meals.eaten_at_utc, {{ utc_from_local('meals.eaten_at_local', 'settings.timezone') }}) as eaten_at,
        coalesce(
            {{ local_date('meals.eaten_at_utc', 'settings.timezone') }},
            cast(meals.eaten_at_local as date),
            meals.eaten_on
        ) as meal_date
    from meals
    inner join settings
        on
            meals.athlete_id = settings.athlete_id
            and (
                {{ in_force_at('meals.eaten_at_utc') }}
                or {{ in_force_on('coalesce(cast(meals.eaten_at_local as date), meals.eaten_on)') }}
            )
),

final as (
    select
        dated.athlete_id,
        dated.meal_id,
        dated.eaten_at,
        dated.meal_date,
        dated.description,
        dated.carbs_g,
        dated.protein_g,
        dated.fat_g,
        dated.alcohol_g,
        {{ energy_kcal('dated.carbs_g', 'dated.protein_g', 'dated.fat_g', 'dated.alcohol_g') }} as energy_kcal,
        dated.energy_kcal_stated,
        dated.estimate_confidence,
        dated.loaded_at
    from dated
    inner join athletes on dated.athlete_id = athletes.athlete_id
    where not dated.is_deleted and dated.meal_date <= athletes.as_of_date
)

select * from final
