with days as (
    select * from {{ ref('int_date_spine') }}
),

final as (
    select distinct date_day from days
)

select * from final
