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

localized as (
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
        localized.athlete_id,
        localized.meal_id,
        localized.eaten_at,
        localized.meal_date,
        localized.description,
        localized.carbs_g,
        localized.protein_g,
        localized.fat_g,
        localized.alcohol_g,
        localized.fiber_g,
        {{ energy_kcal('localized.carbs_g', 'localized.protein_g', 'localized.fat_g', 'localized.alcohol_g') }}
            as energy_kcal,
        localized.energy_kcal_stated,
        coalesce(
            least(localized.carbs_g, localized.protein_g, localized.fat_g, localized.alcohol_g) >= 0
            and greatest(localized.carbs_g, localized.protein_g, localized.fat_g, localized.alcohol_g)
            <= {{ var('most_grams_a_meal') }}
            and {{ energy_kcal('localized.carbs_g', 'localized.protein_g', 'localized.fat_g', 'localized.alcohol_g') }}
            <= {{ var('most_kcal_a_meal') }},
            false
        ) as is_believable,
        localized.estimate_confidence,
        localized.loaded_at,
        localized.load_id
    from localized
    inner join athletes on localized.athlete_id = athletes.athlete_id
    where not localized.is_deleted and localized.meal_date <= athletes.as_of_date
)

select * from final
