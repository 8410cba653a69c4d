with days as (
    select * from {{ ref('int_days_spined') }}
),

final as (
    select distinct date_day from days
)

select * from final
