{{ config(**daily('activity_date')) }}

with activities as (
    select * from {{ ref('fct_activities') }}
    where is_transition is not true
),

loads as (
    select * from {{ ref('fct_activity_load') }}
),

joined as (
    select
        activities.*,
        loads.training_load
    from activities
    left join loads
        on
            activities.athlete_id = loads.athlete_id
            and activities.activity_id = loads.activity_id
            and activities.activity_date = loads.activity_date
),

summed as (
    select
        athlete_id,
        activity_date,
        sport_family,
        count(*) as activities,
        {{ exact_sum('distance_m') }} as distance_m,
        cast(sum(moving_time_s) as int64) as moving_time_s,
        {{ exact_sum('elevation_gain_m') }} as elevation_gain_m,
        {{ exact_sum('energy_kcal') }} as energy_kcal,
        count(energy_kcal) as activities_with_energy,
        {{ exact_sum('training_load') }} as training_load,
        count(case when source = 'strava_api' or is_dated_by_api then 1 end) > 0 as has_strava_api
    from joined
    group by athlete_id, activity_date, sport_family
),

final as (
    select
        *,
        -- of the sums and not a mean of means, so that long activities have more weight
        {{ speed_m_s('distance_m', 'moving_time_s') }} as average_speed_m_s,
        {{ pace_min_per_km('distance_m', 'moving_time_s') }} as pace_min_per_km
    from summed
)

select * from final
