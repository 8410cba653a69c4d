with source as (
    {{ versions(source('meals', 'entries')) }}
),

final as (
    select
        athlete_id,
        record_id as meal_id,
        loaded_at,
        load_id,
        {{ is_deleted('payload') }} as is_deleted,
        -- one of the three: an instant, a local time without a zone, or a day without a time
        {{ utc_timestamp(json_text('payload', 'eaten_at_utc')) }} as eaten_at_utc,
        {{ cast_or_null(json_text('payload', 'eaten_at_local'), 'datetime') }} as eaten_at_local,
        {{ cast_or_null(json_text('payload', 'eaten_on'), 'date') }} as eaten_on,
        -- the columns of a diary, else the totals of an estimate
        coalesce({{ json_text('payload', 'description') }}, {{ json_text('payload', 'meal_summary') }}) as description,
        coalesce(
            {{ json_float('payload', 'carbs_g') }}, {{ json_float('payload', 'totals.carbs_g') }}
        ) as carbs_g,
        coalesce(
            {{ json_float('payload', 'protein_g') }}, {{ json_float('payload', 'totals.protein_g') }}
        ) as protein_g,
        coalesce(
            {{ json_float('payload', 'fat_g') }}, {{ json_float('payload', 'totals.fat_g') }}
        ) as fat_g,
        coalesce(
            {{ json_float('payload', 'fiber_g') }}, {{ json_float('payload', 'totals.fiber_g') }}, 0
        ) as fiber_g,
        coalesce(
            {{ json_float('payload', 'alcohol_g') }}, {{ json_float('payload', 'totals.alcohol_g') }}, 0
        ) as alcohol_g,
        coalesce(
            {{ json_float('payload', 'energy_kcal') }}, {{ json_float('payload', 'totals.calories_kcal') }}
        ) as energy_kcal_stated,
        {{ json_text('payload', 'overall_confidence') }} as estimate_confidence
    from source
)

select * from final
