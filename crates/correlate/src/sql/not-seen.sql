-- Indicators searched for without a sighting, and how much was searched. Hashes whose kind was only
-- inferred from their length are left out: not seeing one under a guessed kind says nothing.
with searched as (
  select count(*) as evidence_items, cast(coalesce(sum(events), 0) as bigint) as records_searched,
         min(first_event) as searched_from, max(last_event) as searched_until
  from evidence
)
select i.feed, i.provider, i.kind, i.value, i.indicator_id, s.records_searched, s.evidence_items, s.searched_from,
       s.searched_until
from indicators as i
cross join searched as s
where not i.inferred_kind
  and not exists (select 1 from sightings as g where g.indicator_id = i.indicator_id)
order by i.feed, i.kind, i.value, i.indicator_id, i.provider
