-- Indicators and observables seen in two or more jurisdictions: a row for each jurisdiction.
-- lead_us: microseconds after the first sighting of the jurisdiction that saw it first; NULL where
-- the clocks' uncertainty does not allow the order to be claimed, or a time is missing.
with seen as (
  select 'indicator' as basis, indicator_kind as kind, indicator_value as value, jurisdiction, evidence, record,
         time, time_us, clock_uncertainty_us, allow_list, valid_at_time
  from sightings
  union all
  select 'observable' as basis, observable_kind as kind, observable_value as value, jurisdiction, evidence, record,
         time, time_us, clock_uncertainty_us, allow_list, valid_at_time
  from sightings
),
records as (
  select distinct basis, kind, value, jurisdiction, evidence, record from seen
),
counted as (
  select basis, kind, value, jurisdiction, count(*) as records, count(distinct evidence) as evidence_items
  from records
  group by basis, kind, value, jurisdiction
),
timed as (
  select basis, kind, value, jurisdiction, min(time) as first_seen, max(time) as last_seen,
         min(time_us) as first_us, min(time_us - clock_uncertainty_us) as first_lo,
         min(time_us + clock_uncertainty_us) as first_hi, count(allow_list) > 0 as allow_listed,
         sum(case when valid_at_time then 1 else 0 end) > 0 as valid
  from seen
  group by basis, kind, value, jurisdiction
),
spread as (
  select basis, kind, value, count(*) as jurisdictions, min(first_us) as first_us, min(first_hi) as first_hi
  from timed
  group by basis, kind, value
  having count(*) >= 2
)
select t.basis, t.kind, t.value, t.jurisdiction, s.jurisdictions, t.first_seen, t.last_seen,
       case when t.first_us = s.first_us then 0
            when t.first_lo > s.first_hi then t.first_us - s.first_us end as lead_us,
       c.records, c.evidence_items, t.valid, t.allow_listed
from timed as t
join spread as s on s.basis = t.basis and s.kind = t.kind and s.value = t.value
join counted as c on c.basis = t.basis and c.kind = t.kind and c.value = t.value and c.jurisdiction = t.jurisdiction
order by t.basis, t.kind, t.value, t.first_seen, t.jurisdiction
