{{ config(meta={'reads_all_days': true}) }}

with activities as (
    select * from {{ ref('int_activity_recordings') }}
    where is_transition is not true
),

efforts as (
    select * from {{ ref('int_recording_efforts') }}
),

distances as (
    select * from {{ ref('best_effort_distances') }}
),

ranked as (
    select
        activities.athlete_id,
        activities.activity_id,
        activities.activity_date,
        activities.sport_family,
        efforts.distance_m,
        distances.distance_name,
        efforts.elapsed_s,
        efforts.start_offset_s,
        cast(row_number() over (
            partition by activities.athlete_id, activities.sport_family, distances.distance_name
            order by efforts.elapsed_s, activities.activity_date, activities.activity_id
        ) as int64) as rank,
        min(efforts.elapsed_s) over (
            partition by activities.athlete_id, activities.sport_family, distances.distance_name
            order by activities.activity_date, activities.activity_id
            rows between unbounded preceding and 1 preceding
        ) as previous_best_s
    from efforts
    inner join activities
        on efforts.athlete_id = activities.athlete_id and efforts.activity_id = activities.recording_id
    inner join distances on efforts.distance_m = distances.distance_m
),

final as (
    select
        *,
        rank = 1 as is_record
    from ranked
)

select * from final
