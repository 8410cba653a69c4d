with loads as (
    select
        athlete_id,
        loaded_at
    from {{ ref('stg_strava__export_activities') }}
    union all
    select
        athlete_id,
        loaded_at
    from {{ ref('stg_strava__export_gear') }}
    union all
    select
        athlete_id,
        loaded_at
    from {{ ref('stg_steps__daily_counts') }}
    union all
    select
        athlete_id,
        loaded_at
    from {{ ref('stg_steps__interval_counts') }}
    union all
    select
        athlete_id,
        loaded_at
    from {{ ref('stg_meals__entries') }}
),

final as (
    select
        athlete_id,
        max(loaded_at) as last_loaded_at
    from loads
    group by athlete_id
)

select * from final
