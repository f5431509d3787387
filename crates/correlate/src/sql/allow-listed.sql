-- Indicators that an allow-list names: claims to be read with care, whether seen or not.
select feed, provider, indicator_id, indicator_kind, indicator_value, allow_list
from allow_listed
order by feed, provider, indicator_id, allow_list, indicator_kind, indicator_value
