-- Inside hosts that took part in a sighting, by jurisdiction, with the number of their records.
select
    s.jurisdiction,
    e.src_ip,
    count(distinct s.evidence || ':' || cast(s.record as varchar)) as records
from sightings s
join events e on e.evidence = s.evidence and e.record = s.record
where e.src_ip like '10.%' or e.src_ip like '192.168.%'
group by s.jurisdiction, e.src_ip
order by s.jurisdiction, e.src_ip
