-- For each value that was seen: how many providers and feeds claim it, whether seen there or not.
-- Feeds are told apart by their bytes, so the same file from two providers is one claim.
with seen as (
  select indicator_kind, indicator_value, count(*) as sightings, count(distinct jurisdiction) as jurisdictions
  from sightings
  group by indicator_kind, indicator_value
),
claimed as (
  select kind, value, count(distinct feed) as feeds, count(distinct provider) as providers,
         cast(sum(claims) as bigint) as claims, min(valid_from) as first_claimed, max(confidence) as confidence
  from indicators
  group by kind, value
),
names as (
  select kind, value, string_agg(provider, ', ' order by provider) as provider_names
  from (select distinct kind, value, provider from indicators) as p
  group by kind, value
)
select s.indicator_kind, s.indicator_value, c.providers, n.provider_names, c.feeds, c.claims, c.first_claimed,
       c.confidence, s.sightings, s.jurisdictions
from seen as s
join claimed as c on c.kind = s.indicator_kind and c.value = s.indicator_value
join names as n on n.kind = s.indicator_kind and n.value = s.indicator_value
order by c.providers desc, s.indicator_kind, s.indicator_value
