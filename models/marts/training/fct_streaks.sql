{{ config(meta={'reads_all_days': true}) }}

with athletes as (
    select athlete_id from {{ ref('int_athletes_as_of') }}
),

runs as (
    select * from {{ ref('int_streak_runs') }}
),

kinds as (
    {% for kind in ['workout_days', 'workout_weeks', 'workout_months', 'step_goal_days', 'meal_log_days'] -%}
    select '{{ kind }}' as streak_type
    {%- if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

ranked as (
    select
        *,
        -- of two of the same length the first one: it was not beaten
        row_number() over (
            partition by athlete_id, streak_type order by streak_length desc, streak_start asc
        ) = 1 as is_longest
    from runs
),

final as (
    select
        athletes.athlete_id,
        kinds.streak_type,
        coalesce(max(case when ranked.is_alive then ranked.streak_length end), 0) as current_length,
        max(case when ranked.is_alive then ranked.streak_start end) as current_start,
        coalesce(max(case when ranked.is_longest then ranked.streak_length end), 0) as longest_length,
        max(case when ranked.is_longest then ranked.streak_start end) as longest_start,
        max(case when ranked.is_longest then ranked.streak_end end) as longest_end,
        max(case when ranked.is_alive then 1 else 0 end) = 1 as is_alive
    from athletes
    cross join kinds
    left join ranked on athletes.athlete_id = ranked.athlete_id and kinds.streak_type = ranked.streak_type
    group by athletes.athlete_id, kinds.streak_type
)

select * from final
