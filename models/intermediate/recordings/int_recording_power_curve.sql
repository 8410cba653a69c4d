{{ config(**daily('recorded_on')) }}

with points as (
    {{ current_points(ref('stg_activity_files__points'), ref('int_recordings')) | indent }}
),

by_second as (
    {{ channel_by_second('points', 'power_w') | indent }}
),

seconds as (
    {{ power_seconds('by_second') | indent }}
),

summed as (
    select
        athlete_id,
        activity_id,
        recorded_on,
        begins_after,
        second,
        -- the power of up to four digits is whole, so the sum is exact
        sum(power_w) over (
            partition by athlete_id, activity_id, begins_after
            order by second
            rows between unbounded preceding and current row
        ) as joules,
        row_number() over (partition by athlete_id, activity_id, begins_after order by second) as position
    from seconds
),

windowed as (
    select
        {%- for duration_s in power_durations() %}
        case
            when position >= {{ duration_s }}
                then (joules - coalesce(lag(joules, {{ duration_s }}) over of_stretch, 0)) / {{ duration_s }}
        end as mean_{{ duration_s }},
        {%- endfor %}
        athlete_id,
        activity_id,
        recorded_on
    from summed
    window of_stretch as (partition by athlete_id, activity_id, begins_after order by second)
),

best as (
    select
        {%- for duration_s in power_durations() %}
        max(mean_{{ duration_s }}) as mean_{{ duration_s }},
        {%- endfor %}
        athlete_id,
        activity_id,
        recorded_on
    from windowed
    group by athlete_id, activity_id, recorded_on
),

final as (
    {%- for duration_s in power_durations() %}
    select
        athlete_id,
        activity_id,
        recorded_on,
        {{ duration_s }} as duration_s,
        mean_{{ duration_s }} as power_w
    from best
    where mean_{{ duration_s }} is not null
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select * from final
