-- Where and when each indicator was seen first: the earliest record with a time, and by evidence and
-- record number where several share that time.
with span as (
  select indicator_kind, indicator_value, min(time_us) as first_us, min(time) as first_seen, max(time) as last_seen,
         count(distinct evidence) as evidence_items, count(distinct jurisdiction) as jurisdictions, count(*) as sightings
  from sightings
  group by indicator_kind, indicator_value
),
firsts as (
  select f.indicator_kind, f.indicator_value, min(f.evidence) as evidence
  from sightings as f
  join span as s on s.indicator_kind = f.indicator_kind and s.indicator_value = f.indicator_value
  where f.time_us = s.first_us or s.first_us is null
  group by f.indicator_kind, f.indicator_value
),
places as (
  select p.indicator_kind, p.indicator_value, p.evidence, min(p.jurisdiction) as jurisdiction, min(p.record) as record
  from sightings as p
  join firsts as f
    on f.indicator_kind = p.indicator_kind and f.indicator_value = p.indicator_value and f.evidence = p.evidence
  join span as s on s.indicator_kind = p.indicator_kind and s.indicator_value = p.indicator_value
  where p.time_us = s.first_us or s.first_us is null
  group by p.indicator_kind, p.indicator_value, p.evidence
)
select s.indicator_kind, s.indicator_value, s.first_seen, p.jurisdiction, p.evidence, p.record, s.last_seen,
       s.jurisdictions, s.evidence_items, s.sightings
from span as s
join places as p on p.indicator_kind = s.indicator_kind and p.indicator_value = s.indicator_value
order by s.first_seen, s.indicator_kind, s.indicator_value
