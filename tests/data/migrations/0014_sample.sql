-- The token of the first sample was rotated: this one came in its place.
insert into api_tokens (id, user_id, name, token_hash, hint, scopes)
select '00000000-0000-7000-8000-0000000000c2', user_id, name, sha256('the new token'), 'wxyz', scopes
from api_tokens where id = '00000000-0000-7000-8000-0000000000c1';
update api_tokens set replaced_by = '00000000-0000-7000-8000-0000000000c2'
where id = '00000000-0000-7000-8000-0000000000c1';
