-- An example: the load of each week, and the form on its last day. Weeks begin on Monday.
with days as (
    select
        athlete_id,
        date_day,
        {{ dbt.date_trunc('isoweek' if target.type == 'bigquery' else 'week', 'date_day') }} as week_start,
        training_load,
        fitness_ctl,
        form_tsb
    from {{ ref('fitness_buddy', 'fct_training_load') }}
),

final as (
    select
        athlete_id,
        cast(week_start as date) as week_start,
        sum(training_load) over (partition by athlete_id, week_start) as training_load,
        fitness_ctl,
        form_tsb
    from days
    qualify row_number() over (partition by athlete_id, week_start order by date_day desc) = 1
)

select * from final
